"""Puts a rule under work into a plugins folder, where it is asked and never decides.

The manifest that is written beside it says `mode = "shadow"` and stands there before the module does. A rule that
somebody installed is never replaced: what this module wrote is known by the first line of the manifest.
"""

import os
import tomllib
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final

import msgspec

from wasm_host import files
from wasm_host.abi import SUFFIXES
from wasm_host.trust import LOCK_NAME

MARK: Final = "# Written by `rules dev`, which replaces it. Remove it and the module beside it to be rid of the rule.\n"


class Unsafe(Exception):
    """A rule that is not put there: why, and what to do."""


def put(module: Path, code: bytes, plugins: Path, operator: Mapping[str, Any]) -> Path:
    """Write `code`, which was read from `module`, and its manifest into `plugins`; the path of the new module.

    `operator` is the rule's `[rules.NAME]`, whose `mode` would win. `Unsafe`, or `OSError` where it cannot be written.
    """
    target = plugins / module.name
    _refuse(module, target, operator)
    sidecar = module.with_suffix(".toml")
    manifest = tomllib.loads(sidecar.read_text("utf-8")) if sidecar.is_file() else {}
    files.write(target.with_suffix(".toml"), (MARK + to_toml(in_shadow(manifest))).encode())
    for suffix in SUFFIXES:  # two files of one name would be refused
        if suffix != target.suffix:
            target.with_suffix(suffix).unlink(missing_ok=True)
    files.write(target, code)
    return target


def _refuse(module: Path, target: Path, operator: Mapping[str, Any]) -> None:
    name, plugins = module.stem, target.parent
    if not plugins.is_dir():
        raise Unsafe(f"{plugins}: there is no such folder; make it, or name another one with --plugins")
    if module.resolve().parent == plugins.resolve():
        raise Unsafe(f"{module}: lies in the plugins folder itself, where it decides; work on a copy elsewhere")
    if os.path.lexists(plugins / LOCK_NAME):
        raise Unsafe(f"{plugins / LOCK_NAME}: only what was reviewed runs there; name another folder with --plugins")
    mode = operator.get("mode", "shadow")
    if mode != "shadow":
        raise Unsafe(f"[rules.{name}] in the configuration says mode = {mode!r}, which wins; remove it while you work")
    there = [path for suffix in (*SUFFIXES, ".toml") if os.path.lexists(path := target.with_suffix(suffix))]
    if there and not _ours(target.with_suffix(".toml")):
        raise Unsafe(
            f"{there[0]}: rule {name} is installed already; rename yours, or name another folder with --plugins"
        )


def _ours(manifest: Path) -> bool:
    return manifest.is_file() and not manifest.is_symlink() and manifest.read_text("utf-8").startswith(MARK)


def in_shadow(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with `mode = "shadow"` where nothing of the author's goes before it, and without its cases."""
    kept = {key: _unshared(value) for key, value in manifest.items() if key not in ("test", "share")}
    policy = kept.get("policy", {})
    return kept | {"policy": {**(policy if isinstance(policy, Mapping) else {}), "mode": "shadow"}}


def _unshared(value: Any) -> Any:
    """A table of the manifest without a canary's share, which counts beside that mode only."""
    return {key: inner for key, inner in value.items() if key != "share"} if isinstance(value, Mapping) else value


def to_toml(data: Mapping[str, Any]) -> str:
    """A TOML document: each key on a line, tables inline."""
    return "".join(f"{_text(key)} = {_value(value)}\n" for key, value in data.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(key)} = {_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return _text(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)


def _text(text: str) -> str:
    """A basic string: JSON's escapes are TOML's, but TOML wants DEL escaped too."""
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")
