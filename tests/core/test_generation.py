"""Reloading, without a server: what is swapped, what is kept, what is said."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from facts import ROOT

from core import generation, settings
from core.errors import Unauthorized
from core.generation import Generation, Generations, fingerprint
from core.rollout import CONFIGURED, PROMOTE, ROLLBACK, Move, stage_of
from core.settings import Loaded
from core.state.rollouts import RolloutFile
from wasm_host.audit import lock_of
from wasm_host.rule import Rule
from wasm_host.trust import render_lock

CONFIG = '[providers.here]\ndialect = "loopback"\nmodels = { a = {}, b = {} }\n[routing]\ndefault = "here,a"\n'
Said = list[dict[str, object]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("plugins", "taxonomy"):
        (tmp_path / name).mkdir()
    (tmp_path / "c.toml").write_text(f'{CONFIG}[plugins]\ndir = "plugins"\n[taxonomy]\ndir = "taxonomy"\n')
    return tmp_path


@pytest.fixture
def load(folder: Path) -> Callable[[], Loaded]:
    return lambda: settings.load(folder / "c.toml", {"HOME": str(folder), "TERRAPHIM_DISCOVERY": "off"})


def made(folder: Path, load: Callable[[], Loaded]) -> tuple[Generations, Said, list[str]]:
    said: Said = []
    swaps: list[str] = []

    def report(fields: dict[str, object], _level: str) -> None:
        said.append(fields)

    def on_swap(_generation: Generation, outcome: str) -> None:
        swaps.append(outcome)

    env = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    return Generations(load, env, report=report, on_swap=on_swap), said, swaps


def test_a_good_change_is_swapped_whole(folder: Path, load: Callable[[], Loaded]) -> None:
    generations, _, swaps = made(folder, load)
    before = generations.current
    config = folder / "c.toml"
    config.write_text(config.read_text().replace('default = "here,a"', 'default = "here,b"'))
    assert asyncio.run(generations.reload())
    assert swaps == ["started", "swapped"]
    assert generations.current.snapshot.id != before.snapshot.id
    assert before.loaded.settings.routing.default == "here,a"


def test_a_new_address_is_said_to_need_a_start(folder: Path, load: Callable[[], Loaded]) -> None:
    generations, said, _ = made(folder, load)
    config = folder / "c.toml"
    config.write_text("[server]\nport = 4000\n" + config.read_text())
    assert asyncio.run(generations.reload())
    assert [str(line["problem"]) for line in said if line["event"] == "problem"] == [
        f"{config}: server.port = 4000 counts from the next start; until then it is 3456 (restart to use it)"
    ]


def test_a_reload_without_a_change_swaps_nothing(folder: Path, load: Callable[[], Loaded]) -> None:
    generations, _, swaps = made(folder, load)
    before = generations.current
    assert asyncio.run(generations.reload())
    assert generations.current is before
    assert swaps == ["started"]


def test_a_broken_configuration_changes_nothing_and_is_said(folder: Path, load: Callable[[], Loaded]) -> None:
    generations, said, swaps = made(folder, load)
    before = generations.current
    (folder / "c.toml").write_text("[routing]\ndefault = 5\n")
    assert not asyncio.run(generations.reload())
    assert generations.current is before
    assert swaps == ["started", "failed"]
    assert any("c.toml:2: routing.default" in str(line.get("problem")) for line in said)


def test_unknown_faults_change_nothing_too(folder: Path, load: Callable[[], Loaded]) -> None:
    faults = iter([False, True])

    def faulty() -> Loaded:
        if next(faults):
            raise RuntimeError("disk on fire")
        return load()

    generations, said, _ = made(folder, faulty)
    assert not asyncio.run(generations.reload())
    assert any("disk on fire" in str(line.get("problem")) for line in said)


def test_what_is_still_being_written_waits_for_a_second_look(folder: Path, load: Callable[[], Loaded]) -> None:
    generations, _, swaps = made(folder, load)

    async def scenario() -> None:
        stop = asyncio.Event()
        watching = asyncio.create_task(generations.watch(stop, look_s=0.01))
        (folder / "taxonomy" / "x.md").write_text("# X\nsynonyms:: one two\n")
        async with asyncio.timeout(10):
            while "swapped" not in swaps:  # noqa: ASYNC110  # what is waited for is a list
                await asyncio.sleep(0.01)
        stop.set()
        await watching

    asyncio.run(scenario())
    assert len(generations.current.snapshot.taxonomy.concepts) == 1


def test_the_fingerprint_is_of_the_files_that_count(folder: Path, load: Callable[[], Loaded]) -> None:
    loaded = load()
    before = fingerprint(loaded)
    (folder / "plugins" / "notes.txt").write_text("x")
    (folder / "plugins" / ".build-k2_x9").mkdir()  # what a build that was interrupted left behind
    (folder / "plugins" / ".build-k2_x9" / "rule.wat").write_text("x")
    assert fingerprint(loaded) == before
    for name in ("rule.toml", "rule.wasm", "rule.wat.sig", "plugins.lock"):
        (folder / "plugins" / name).write_text("x")
        after = fingerprint(loaded)
        assert after != before, name
        before = after
    for name in ("plugins/rule.wat.sig", "plugins", "c.toml"):
        (folder / name).chmod(0o777)
        after = fingerprint(loaded)
        assert after != before, f"who may write to {name}"
        before = after


def test_a_lock_that_comes_is_a_new_generation_of_the_same_decisions(folder: Path, load: Callable[[], Loaded]) -> None:
    (folder / "plugins" / "wasm-demo.wat").write_text((ROOT / "plugins" / "wasm-demo.wat").read_text())
    generations, said, swaps = made(folder, load)
    before = generations.current
    (folder / "plugins" / "plugins.lock").write_bytes(render_lock(lock_of(folder / "plugins")))
    assert asyncio.run(generations.reload())
    assert swaps == ["started", "swapped"]
    assert generations.current.snapshot.id == before.snapshot.id
    assert [rule.trust for rule in generations.current.snapshot.rules.rules] == ["locked"]
    (folder / "plugins" / "wasm-demo.wat").write_text("(module)")
    assert asyncio.run(generations.reload())
    assert [rule.trust for rule in generations.current.snapshot.rules.rules] == ["locked"]
    assert any("its last good version keeps serving" in str(line.get("problem")) for line in said)


def test_old_generations_are_let_go(folder: Path, load: Callable[[], Loaded]) -> None:
    generations, _, swaps = made(folder, load)
    config = folder / "c.toml"
    text = config.read_text()
    old = []
    for threshold in range(1, 21):
        old.append(weakref.ref(generations.current))
        config.write_text(text.replace("[plugins]", f"long_context_threshold = {threshold}\n[plugins]"))
        assert asyncio.run(generations.reload())
    gc.collect()
    assert swaps.count("swapped") == 20
    assert [ref() for ref in old] == [None] * 20


def test_a_new_key_in_a_file_is_a_new_configuration(folder: Path, load: Callable[[], Loaded]) -> None:
    (folder / "key").write_text("first")
    config = folder / "c.toml"
    config.write_text(config.read_text() + '[[server.keys]]\nname = "a"\nkey = { file = "key" }\n')
    generations, _, swaps = made(folder, load)
    before = fingerprint(generations.current.loaded)
    (folder / "key").write_text("second")
    assert fingerprint(generations.current.loaded) != before
    assert asyncio.run(generations.reload())
    assert swaps == ["started", "swapped"]
    assert generations.current.client_keys.key_of({"x-api-key": "second"}) is not None


KEYS = '[[server.keys]]\nname = "a"\nkeys = [{ file = "old" }, { file = "new" }]\n'


def test_a_missing_key_is_refused_and_waited_for(folder: Path, load: Callable[[], Loaded]) -> None:
    generations, said, swaps = made(folder, load)
    (folder / "old").write_text("the-old-secret-of-a")
    config = folder / "c.toml"
    config.write_text(config.read_text() + KEYS)

    async def scenario() -> None:
        stop = asyncio.Event()
        watch = asyncio.create_task(generations.watch(stop, look_s=0.01))
        async with asyncio.timeout(10):
            while "failed" not in swaps:  # noqa: ASYNC110  # the watcher is looked at from outside
                await asyncio.sleep(0.01)
            (folder / "new").write_text("the-new-secret-of-a")  # the configuration is not touched again
            while "swapped" not in swaps:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        stop.set()
        await watch

    asyncio.run(scenario())
    assert any("'a', secret 2 of 2, cannot be used" in str(line.get("problem")) for line in said)
    for secret in ("the-old-secret-of-a", "the-new-secret-of-a"):
        assert generations.current.client_keys.key_of({"x-api-key": secret}) is not None


def test_the_last_key_cannot_be_taken_from_an_open_address_that_is_listened_on(
    folder: Path, load: Callable[[], Loaded]
) -> None:
    config = folder / "c.toml"
    closed = config.read_text()
    for name in ("old", "new"):
        (folder / name).write_text(f"the-{name}-secret-of-a")
    config.write_text(f'[server]\nhost = "0.0.0.0"\n{KEYS}{closed}')
    generations, said, swaps = made(folder, load)
    config.write_text(f'[server]\nhost = "127.0.0.1"\n{closed}')  # good for a start, but this process listens wide
    assert not asyncio.run(generations.reload())
    assert swaps == ["started", "failed"]
    assert any("0.0.0.0 port 3456 is listened on" in str(line.get("problem")) for line in said)
    with pytest.raises(Unauthorized):
        generations.current.client_keys.key_of({})
    config.write_text(f'[server]\nhost = "127.0.0.1"\n{KEYS}{closed}')
    assert asyncio.run(generations.reload())


def test_a_glob_that_fits_no_target_is_a_problem(folder: Path, load: Callable[[], Loaded]) -> None:
    (folder / "key").write_text("the-secret-of-a-client")
    config = folder / "c.toml"
    config.write_text(
        config.read_text() + '[[server.keys]]\nname = "a"\nkey = { file = "key" }\ntargets = ["here,*", "her,*"]\n'
    )
    generations, _, _ = made(folder, load)
    said = [str(problem) for problem in generations.current.snapshot.problems]
    assert said == [f"{config}: server key 'a': targets: 'her,*' fits no target"]


def test_a_look_that_fails_does_not_end_the_watch(
    folder: Path, load: Callable[[], Loaded], monkeypatch: pytest.MonkeyPatch
) -> None:
    generations, said, swaps = made(folder, load)
    config = folder / "c.toml"
    config.write_text(config.read_text().replace('default = "here,a"', 'default = "here,b"'))
    looks: list[OSError | None] = [OSError("the folder went away"), None, None, None]

    async def scenario() -> None:
        stop = asyncio.Event()

        def look(loaded: Loaded) -> generation.Fingerprint:
            fault = looks.pop(0)
            if not looks:
                loop.call_soon_threadsafe(stop.set)
            if fault:
                raise fault
            return fingerprint(loaded)

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(generation, "fingerprint", look)
        await asyncio.wait_for(generations.watch(stop, look_s=0.05), 10)

    asyncio.run(scenario())
    assert swaps == ["started", "swapped"]
    assert any("the folder went away" in str(line.get("problem")) for line in said)


def moved(folder: Path, rule: Rule, to: str, action: str = PROMOTE) -> RolloutFile:
    """What `rules promote` writes."""
    file = RolloutFile(settings.state_dir({"HOME": str(folder)}))
    move = Move(
        rule=rule.name, module=rule.sha256, at=datetime.now(UTC), action=action, came_from="enforce", to=to, by="ann"
    )
    file.change(lambda _: move)
    return file


@pytest.fixture
def ruled(folder: Path, load: Callable[[], Loaded]) -> tuple[Generations, Said, list[str]]:
    """With a rule `demo` that configuration and manifest say nothing of."""
    (folder / "plugins" / "demo.wat").write_text((ROOT / "plugins" / "wasm-demo.wat").read_text())
    return made(folder, load)


def stages(generations: Generations) -> list[str]:
    return [str(stage_of(rule)) for rule in generations.current.snapshot.rules.rules]


def test_a_move_is_seen_and_is_a_snapshot_of_its_own(folder: Path, ruled: tuple[Generations, Said, list[str]]) -> None:
    generations, _, swaps = ruled
    before = generations.current

    async def scenario() -> None:
        stop = asyncio.Event()
        watch = asyncio.create_task(generations.watch(stop, look_s=0.01))
        moved(folder, before.files.rules[0], "canary 12.5%")
        async with asyncio.timeout(10):
            while "swapped" not in swaps:  # noqa: ASYNC110  # what is waited for is a list
                await asyncio.sleep(0.01)
        stop.set()
        await watch

    asyncio.run(scenario())
    assert stages(generations) == ["canary 12.5%"]
    assert generations.current.snapshot.digest != before.snapshot.digest
    assert generations.current.files.rules == before.files.rules
    config = generations.current.loaded.settings.rules
    assert config == {"demo": {"mode": "canary", "share": 12.5}}


def test_a_module_that_changes_begins_again_and_one_that_comes_back_does_not(
    folder: Path, ruled: tuple[Generations, Said, list[str]]
) -> None:
    generations, _, _ = ruled
    moved(folder, generations.current.files.rules[0], "shadow")
    assert asyncio.run(generations.reload())
    module = folder / "plugins" / "demo.wat"
    text = module.read_text()
    seen = [stages(generations)]
    for content in (text + ";; another\n", text):
        module.write_text(content)
        assert asyncio.run(generations.reload())
        seen.append(stages(generations))
    assert seen == [["shadow"], ["enforce"], ["shadow"]]


def test_a_manifest_cannot_move_what_the_operator_moved(
    folder: Path, ruled: tuple[Generations, Said, list[str]]
) -> None:
    generations, _, _ = ruled
    moved(folder, generations.current.files.rules[0], "shadow", ROLLBACK)
    for manifest in ('mode = "enforce"\n', 'mode = "canary"\nshare = 100\n', "[rollout]\nauto = 'promote'\n"):
        (folder / "plugins" / "demo.toml").write_text(manifest)
        assert asyncio.run(generations.reload())
        assert stages(generations) == ["shadow"]
    assert generations.current.snapshot.rules.rules[0].settings.rollout == {}


def test_a_move_of_another_rule_or_module_moves_nothing(
    folder: Path, ruled: tuple[Generations, Said, list[str]]
) -> None:
    generations, _, _ = ruled
    rule = generations.current.files.rules[0]
    for other in ({"name": "dem"}, {"name": "demo2"}, {"name": "DEMO"}):
        moved(folder, msgspec.structs.replace(rule, **other), "shadow")
    assert asyncio.run(generations.reload())
    assert stages(generations) == ["enforce"]


def test_a_file_of_moves_that_breaks_moves_nothing_and_is_said(
    folder: Path, load: Callable[[], Loaded], ruled: tuple[Generations, Said, list[str]]
) -> None:
    generations, said, _ = ruled
    file = moved(folder, generations.current.files.rules[0], "shadow")
    assert asyncio.run(generations.reload())
    file.path.write_text("version = 99\n")
    assert asyncio.run(generations.reload())
    assert stages(generations) == ["shadow"]
    assert any("newer program" in str(line.get("problem")) and "stay where they are" in str(line) for line in said)
    later, said, _ = made(folder, load)
    assert stages(later) == ["enforce"]
    assert any("rules are where the configuration says" in str(line.get("problem")) for line in said)
    file.path.unlink()
    assert asyncio.run(generations.reload())
    assert stages(generations) == ["enforce"]


def test_a_rule_whose_module_breaks_keeps_its_stage_and_takes_the_next(
    folder: Path, ruled: tuple[Generations, Said, list[str]]
) -> None:
    generations, _, _ = ruled
    rule = generations.current.files.rules[0]
    moved(folder, rule, "canary 5%")
    assert asyncio.run(generations.reload())
    (folder / "plugins" / "demo.wat").write_text("(module (broken")
    assert asyncio.run(generations.reload())
    assert stages(generations) == ["canary 5%"]
    for to, stage in (("shadow", "shadow"), (CONFIGURED, "enforce")):
        moved(folder, rule, to)
        assert asyncio.run(generations.reload())
        assert stages(generations) == [stage]
