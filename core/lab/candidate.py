"""What a backtest tries: a rule, a taxonomy, a configuration or a folder of them, in the place of a snapshot's own.

`read` takes the files once; `applied` lays them over what a snapshot was made from; `built` makes the snapshot.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
from msgspec import Struct

from core import config_file
from core.generation import RULE_FILES
from core.rolegraph import build_taxonomy
from core.rolegraph.load import read_files
from core.routing.snapshot import Snapshot, build
from core.schema import Settings
from wasm_host import abi, files, trust
from wasm_host.registry import load_rules

#: Bytes of a file of the plugins folder: no module may be larger.
_MOST: Final = abi.LIMITS["module"].cap
_CONFIG: Final = "config.toml"


class Unfit(Exception):
    """A candidate that cannot be used: what it is, why, and what to do."""


class Parts(Struct, frozen=True):
    """What a snapshot is made from: settings, the taxonomy's texts by path, the plugins folder's files by name."""

    settings: Settings
    texts: Mapping[str, str]
    plugins: Mapping[str, bytes]


class Candidate(Struct, frozen=True, kw_only=True):
    """What is put in place; None and empty leave what is there. `texts` and `plugins` are whole folders, `concepts` and
    `rules` (by name: their files) single ones. `tables` are laid over the operator's `[rules.NAME]`.
    """

    settings: Settings | None = None
    texts: Mapping[str, str] | None = None
    plugins: Mapping[str, bytes] | None = None
    concepts: Mapping[str, str] = {}
    rules: Mapping[str, Mapping[str, bytes]] = {}
    tables: Mapping[str, Mapping[str, Any]] = {}

    def over(self, other: "Candidate") -> "Candidate":
        """Both; what both have is this one's."""
        return Candidate(
            settings=self.settings or other.settings,
            texts=other.texts if self.texts is None else self.texts,
            plugins=other.plugins if self.plugins is None else self.plugins,
            concepts={**other.concepts, **self.concepts},
            rules={**other.rules, **self.rules},
            tables={**other.tables, **self.tables},
        )


def read(paths: Iterable[Path]) -> Candidate:
    """The candidate that these files and folders make together, a later one before an earlier. Unfit."""
    candidate = Candidate()
    for path in paths:
        try:
            candidate = _read(path).over(candidate)
        except OSError as exc:
            raise Unfit(f"{path}: {exc.strerror}") from None
        except UnicodeDecodeError:
            raise Unfit(f"{path}: is not UTF-8") from None
        except files.Unusable as exc:
            raise Unfit(f"{path}: {exc.message}") from None
    return candidate


def _read(path: Path) -> Candidate:
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        raise Unfit(f"{path}: No such file or folder")
    if path.suffix in abi.SUFFIXES:
        beside = [path, path.with_suffix(".toml")]
        return Candidate(rules={path.stem: {each.name: files.read(each, _MOST) for each in beside if each.exists()}})
    if path.suffix == ".md":
        return Candidate(concepts={path.name: path.read_text("utf-8-sig")})
    if path.suffix == ".toml":
        return _toml(path)
    what = "a rule (.wasm, .wat), a taxonomy (a folder, .md), a configuration (.toml) or a folder of these"
    raise Unfit(f"{path}: is no candidate: give {what}")


def _toml(path: Path) -> Candidate:
    """A configuration, or nothing but `[rules.NAME]` tables."""
    text = path.read_text("utf-8-sig")
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as exc:
        raise Unfit(f"{path}: not TOML: {exc}") from None
    if data and data.keys() <= {"rules"}:
        return Candidate(tables=data["rules"])
    return Candidate(settings=config_file.parse(text, path))


def _folder(path: Path) -> Candidate:
    """A configuration with its folders, or the folders `plugins` and `taxonomy`, or one of these itself."""
    if (path / _CONFIG).is_file():
        found = _toml(path / _CONFIG)
        own = found.settings
        plugins = own.plugins.dir if own and own.plugins.dir else path / "plugins"
        taxonomy = own.taxonomy.dir if own and own.taxonomy.dir else path / "taxonomy"
        return _folders(plugins, taxonomy).over(found)
    if (path / "plugins").is_dir() or (path / "taxonomy").is_dir():
        return _folders(path / "plugins", path / "taxonomy")
    if any(each.suffix in abi.SUFFIXES for each in path.iterdir()):
        return Candidate(plugins=plugin_files(path))
    if texts := texts_of(path):
        return Candidate(texts=texts)
    raise Unfit(f"{path}: holds no {_CONFIG}, no rule and no concept")


def _folders(plugins: Path, taxonomy: Path) -> Candidate:
    return Candidate(
        plugins=plugin_files(plugins) if plugins.is_dir() else None,
        texts=texts_of(taxonomy) if taxonomy.is_dir() else None,
    )


def plugin_files(folder: Path) -> dict[str, bytes]:
    """The files of a plugins folder by name."""
    found = sorted(path for path in folder.iterdir() if path.suffix in RULE_FILES and path.is_file())
    return {path.name: files.read(path, _MOST) for path in found}


def texts_of(folder: Path) -> dict[str, str]:
    """The files of a taxonomy by path. Unfit if one cannot be read."""
    texts, problems = read_files(folder)
    if problems:
        raise Unfit(f"{folder}: {problems[0]}")
    return dict(texts)


def applied(parts: Parts, candidate: Candidate) -> Parts:
    """The parts with the candidate's in their place. A rule that is given by itself decides, whatever its mode is."""
    plugins = dict(parts.plugins if candidate.plugins is None else candidate.plugins)
    for name, its in candidate.rules.items():
        plugins = {file: data for file, data in plugins.items() if file.partition(".")[0] != name} | dict(its)
    texts = dict(parts.texts if candidate.texts is None else candidate.texts)
    for name, text in candidate.concepts.items():
        texts[next((path for path in texts if Path(path).name == name), name)] = text
    return Parts(_with_tables(candidate.settings or parts.settings, candidate), texts, plugins)


def _with_tables(settings: Settings, candidate: Candidate) -> Settings:
    tables: dict[str, Any] = {name: dict(table) for name, table in settings.rules.items()}
    for name, table in candidate.tables.items():
        tables[name] = {**tables.get(name, {}), **table}
    for name in candidate.rules:
        held_back = {"share", "rollout"}
        table = {key: value for key, value in tables.get(name, {}).items() if key not in held_back}
        tables[name] = {**table, "mode": "enforce"}
    return settings.model_copy(update={"rules": tables})


def built(parts: Parts, cache: Path, must: Iterable[str] = ()) -> Snapshot:
    """The snapshot of these parts; nothing that guards a proxy against strangers' modules counts here. Unfit if one of
    the rules that `must` be there is refused.
    """
    with TemporaryDirectory(prefix="terraphim-candidate-") as folder:
        for name, data in parts.plugins.items():
            if name != trust.LOCK_NAME:
                files.write(Path(folder) / name, data)
        rules = load_rules(Path(folder), parts.settings.rules, cache=cache)
    there = {rule.name for rule in rules.rules}
    if lacking := sorted(set(must) - there):
        why = [problem for problem in rules.problems if Path(problem.path).stem in lacking and not problem.warning]
        raise Unfit("; ".join(f"{Path(each.path).name}: {each.message}. {each.hint}" for each in why) or lacking[0])
    return build(parts.settings, build_taxonomy(list(parts.texts.items())), rules)


def named(candidate: Candidate) -> bytes:
    """The candidate as bytes: equal for equal ones."""
    settings = candidate.settings.model_dump(mode="json") if candidate.settings else None
    whole = {**msgspec.structs.asdict(candidate), "settings": settings}
    return msgspec.json.encode(whole, order="sorted")
