"""Generations: one whole, usable configuration after another, each built beside the one that serves."""

import asyncio
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from core import restart, rollout
from core import settings as settings_module
from core.config_file import LOOPBACK_NAMES
from core.edge import ClientKeys, allowed_hosts
from core.errors import ConfigError, Problem
from core.present import Present
from core.rolegraph.load import build_taxonomy, read_files
from core.rollout import Rollouts
from core.routing import permission
from core.routing.snapshot import Snapshot, build
from core.schema import Settings
from core.settings import Loaded
from core.state.rollouts import RolloutFile
from wasm_host import files
from wasm_host.registry import load_rules
from wasm_host.rule import RuleSet
from wasm_host.trust import Policy

#: Modules, their manifests and signatures, and the lock.
RULE_FILES = frozenset({".wasm", ".wat", ".toml", ".sig", ".lock"})
#: Seconds between two looks at the files.
LOOK_S = 0.3
#: Path, time of change, size and inode of each file; of a folder, path, mode, 0 and inode.
Fingerprint = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True)
class Generation:
    """What a request begins and ends with."""

    loaded: Loaded
    snapshot: Snapshot
    client_keys: ClientKeys
    hosts: frozenset[str]
    #: The rules as files and configuration say, and how far each is rolled out.
    files: RuleSet
    rollouts: Rollouts
    #: Path within the taxonomy's folder, and the text that was read there.
    texts: tuple[tuple[str, str], ...] = ()


def load_generation(
    loaded: Loaded, cache: Path, before: Generation | None = None, *, keep: Callable[[bytes], object] = lambda _: None
) -> Generation:
    """Read taxonomy and rules and build the snapshot. Bad files are problems of the snapshot, not failures: what
    they gave `before` still serves. The settings of what comes out have the rules' stages in them.

    `keep` is given the bytes of the rules' files.
    """
    config = loaded.settings
    previous = before.files if before else None
    rules = load_rules(
        config.plugins.dir or Path(),
        config.rules,
        cache=cache,
        previous=previous,
        policy=policy_of(config),
        keep=keep,
    )
    rollouts, problems = _rollouts(loaded, before)
    config = config.model_copy(update={"rules": rollout.tables(config.rules, rules, rollouts)})
    texts, unread = read_files(config.taxonomy.dir or Path())
    snapshot = build(config, build_taxonomy(texts, unread), rollout.applied(rules, rollouts))
    problems += permission.idle(config, snapshot.targets, str(loaded.path or "environment"))
    snapshot = replace(snapshot, problems=(*snapshot.problems, *problems))
    hosts = allowed_hosts(config.server.host, config.server.hosts)
    clients = ClientKeys(loaded.secrets.clients, config.server.keys)
    loaded = replace(loaded, settings=config)
    return Generation(loaded, snapshot, clients, hosts, files=rules, rollouts=rollouts, texts=tuple(texts))


def _rollouts(loaded: Loaded, before: Generation | None) -> tuple[Rollouts, list[Problem]]:
    """How far rules are rolled out. A file that cannot be read changes nothing; at a start the configuration counts."""
    if loaded.state is None:
        return Rollouts(), []
    file = RolloutFile(loaded.state)
    try:
        return file.read(), []
    except files.Unusable as exc:
        kept = before.rollouts if before else Rollouts()
        said = "rules stay where they are" if before else "rules are where the configuration says"
        return kept, [Problem(str(file.path), 0, f"{exc.message}; {said}", exc.hint)]


def policy_of(config: Settings) -> Policy:
    """Which modules the operator lets in."""
    plugins = config.plugins
    return Policy(
        require_lock=plugins.require_lock, require_signature=plugins.require_signature, public_keys=plugins.public_keys
    )


class Saving:
    """What else is done with what is read, off the event loop: here, nothing."""

    def reading(self) -> AbstractContextManager[None]:
        """Files are read within this."""
        return nullcontext()

    def keep(self, loaded: Loaded, data: bytes) -> None:
        """A rule's file was read."""

    def save(self, generation: Generation) -> None:
        """This one serves now."""


class Generations:
    """The current generation, and how the next one comes: files are watched, and `reload` may be called."""

    def __init__(
        self,
        load: Callable[[], Loaded],
        env: Mapping[str, str],
        *,
        report: Callable[[dict[str, object], str], None],
        on_swap: Callable[[Generation, str], None],
        on_built: Callable[[Generation], None] = lambda _: None,
        saving: Saving | None = None,
        count: Callable[[int], None] = lambda _: None,
        looked: Callable[[float, bool], None] = lambda *_: None,
    ) -> None:
        """Off the event loop, `on_built` is given each generation before it serves. `count` is told how many problems
        there are, `looked` how long it took to read everything (s), and whether it can be used.
        """
        saving = saving or Saving()
        self._load = load
        self._cache = settings_module.cache_dir(env)
        self._report = report
        self._on_swap, self._on_built = on_swap, on_built
        self._saving = saving
        #: What is wrong now.
        self.present = Present(report, count)
        self._lock = asyncio.Lock()
        self._began, self._looked = time.monotonic(), looked
        #: Files whose change may mend the configuration that was refused last.
        self._awaited: tuple[Path, ...] = ()
        with saving.reading():
            loaded = load()
            self._served = fingerprint(loaded)
            self.current = load_generation(loaded, self._cache, keep=partial(saving.keep, loaded))
        #: With what this process began: what it listens on, whatever later configurations say.
        self.started = loaded.settings
        self._on_built(self.current)
        self._announce(self.current, "started")
        looked(self.took_ms / 1000, True)  # noqa: FBT003  # a callback

    async def reload(self) -> bool:
        """Build the next generation off the event loop and swap it in. A broken configuration changes nothing."""
        async with self._lock:
            self._began = time.monotonic()
            outcome = await self._reload()
            self._looked(self.took_ms / 1000, outcome != "failed")
            if outcome == "swapped":
                await asyncio.to_thread(self._saving.save, self.current)
            return outcome != "failed"

    async def _reload(self) -> str:
        try:
            following = await asyncio.to_thread(self._following)
        except ConfigError as exc:
            self._awaited = exc.awaited
            self.present.refused(exc.problems)
            self._on_swap(self.current, "failed")
            return "failed"
        except Exception as exc:  # noqa: BLE001  # whatever a file does, the old generation serves
            where = str(self.current.loaded.path or "environment")
            self.present.refused([Problem(where, 0, f"{type(exc).__name__}: {exc}")])
            self._on_swap(self.current, "failed")
            return "failed"
        self._awaited = ()
        if following.snapshot.digest == self.current.snapshot.digest and not _changed(self.current, following):
            self._say_problems(following)
            return "same"
        self.current = following
        self._announce(following, "swapped")
        return "swapped"

    @property
    def took_ms(self) -> float:
        """Since the last reload began: how long it took, when asked at its end."""
        return (time.monotonic() - self._began) * 1000

    def _following(self) -> Generation:
        with self._saving.reading():
            loaded, server = self._load(), self.started.server
            if not loaded.settings.server.keys and server.host not in LOOPBACK_NAMES:
                problem = f"without a key nobody but this machine may ask, and {server.host} port {server.port}"
                problem = f"server.keys: {problem} is listened on"
                where = str(loaded.path or "environment")
                raise ConfigError([Problem(where, 0, problem, "restart to listen elsewhere")])
            following = load_generation(loaded, self._cache, self.current, keep=partial(self._saving.keep, loaded))
        self._on_built(following)
        return following

    def _announce(self, generation: Generation, outcome: str) -> None:
        started = time.monotonic()
        self._on_swap(generation, outcome)
        self._say_problems(generation)
        rules = [rule.name for rule in generation.snapshot.rules.rules]
        self._report(
            {
                "event": f"snapshot_{outcome}",
                "snapshot": generation.snapshot.id,
                "targets": len(generation.snapshot.targets),
                "concepts": len(generation.snapshot.taxonomy.concepts),
                "rules": rules,
                "ms": round((time.monotonic() - started) * 1000, 2),
            },
            "info",
        )

    def _say_problems(self, generation: Generation) -> None:
        loaded = generation.loaded
        late = restart.problems(self.started, loaded.settings, str(loaded.path or "environment"))
        self.present.serves((*loaded.warnings, *generation.snapshot.problems, *late))

    async def watch(self, stop: asyncio.Event, look_s: float = LOOK_S) -> None:
        """Reload when the files differ from what serves, until `stop`.

        Looking costs a `stat` a file and works on every file system. What changes between two looks is still being
        written, so the second look decides.
        """
        await asyncio.to_thread(self._saving.save, self.current)
        seen = before = self._served
        while not stop.is_set():
            try:
                now = await asyncio.to_thread(self._look)
                if now != seen and now == before:
                    seen = now
                    await self.reload()
                before = now
            except Exception as exc:  # noqa: BLE001  # a folder that goes while it is listed must not end the watch
                self._report({"event": "watch_failed", "problem": f"{type(exc).__name__}: {exc}"}, "warning")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), look_s)

    def _look(self) -> Fingerprint:
        return fingerprint(self.current.loaded) + _seen(self._awaited)


def fingerprint(loaded: Loaded) -> Fingerprint:
    """What shows a change of the files that a generation is made of, those of its keys included.

    Whoever may write to a file, or into the rules' folder, counts too: it decides whether they are used.
    """
    plugins, taxonomy = loaded.settings.plugins.dir, loaded.settings.taxonomy.dir
    paths = [*loaded.key_files] if loaded.path is None else [loaded.path, *loaded.key_files]
    if plugins is not None:
        paths += [plugins, *sorted(path for path in plugins.glob("*") if path.suffix in RULE_FILES)]
    if taxonomy is not None:
        paths += sorted(taxonomy.rglob("*.md"))
    if loaded.state is not None:
        paths.append(RolloutFile(loaded.state).path)
    return _seen(paths)


def _seen(paths: Iterable[Path]) -> Fingerprint:
    found = []
    for path in paths:
        with suppress(OSError, ValueError):  # gone, or nothing that could be there
            info = path.stat()
            # A time of modification stays with a change of the mode; a folder's time moves with any file in it.
            what = (info.st_mode, 0) if stat.S_ISDIR(info.st_mode) else (info.st_ctime_ns, info.st_size)
            found.append((str(path), *what, info.st_ino))
    return tuple(found)


def _changed(old: Generation, new: Generation) -> bool:
    """Whether something outside the snapshot's id differs: keys, hosts, warnings, how far rules are trusted."""
    before, after = old.snapshot, new.snapshot
    return old.loaded != new.loaded or before.problems != after.problems or before.rules.rules != after.rules.rules
