"""Rules that somebody tries on the page: compiled as any other, kept in memory for a while, and never installed.

Everything here waits: for the compiler's child, which has its own limits. One thread calls it.
"""

import hashlib
import re
import time
import tomllib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
from msgspec import Struct

from wasm_host import abi
from wasm_host.compiler import read_artifact
from wasm_host.preflight import Refusal
from wasm_host.registry import load_file
from wasm_host.rule import Rule

#: So many are remembered, each for so long (seconds) after it was tried last. One that was refused is one of them, so
#: that what takes the compiler seconds takes them once, and not at every letter that somebody types beside it.
MOST: Final = 8
KEPT_S: Final = 300.0
#: Bytes of a manifest.
MANIFEST_MAX: Final = 64 * 1024
#: What an operator says of a rule by this name and a candidate does not get: these are said of the one that is there.
_NOT_ITS_OWN: Final = frozenset({"mode", "share", "rollout", "grant", "allow_deny", "fail"})


class Offer(Struct, frozen=True):
    """What somebody tries: a file's name and bytes, its manifest (TOML), and the fields that it is granted."""

    name: str
    data: bytes
    manifest: str = ""
    grants: tuple[str, ...] = ()


class Candidate(Struct, frozen=True):
    """A rule that is tried; `code` is its machine code, which is on no disk."""

    rule: Rule
    code: bytes


class Candidates:
    """Those of one process. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Candidate | Refusal]] = OrderedDict()

    def get(self, offer: Offer, tables: Mapping[str, Mapping[str, Any]]) -> Candidate | Refusal:
        """The rule, which decides where it is asked, or why it is none. `tables` are the operator's `[rules.NAME]`: of
        the one by its name it gets priority, limits and config.
        """
        self.forget()
        operator = _operator(tables.get(stem_of(offer.name), {}), offer)
        said = msgspec.json.encode(operator, order="sorted")  # TOML's integers may be too large for MessagePack
        name = hashlib.sha256(msgspec.msgpack.encode((offer, said))).hexdigest()
        known = self._kept.pop(name, None)
        found = known[1] if known else _built(offer, operator)
        self._kept[name] = self._clock(), found
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return found

    def forget(self) -> None:
        """What was not tried for long."""
        oldest = self._clock() - KEPT_S
        for name in [name for name, (used, _) in self._kept.items() if used <= oldest]:
            del self._kept[name]

    def __len__(self) -> int:
        return len(self._kept)


def stem_of(name: str) -> str:
    """The rule's name: that of the file, as far as a rule may be called so."""
    stem = re.sub(r"[^a-z0-9_-]+", "-", Path(name).stem.lower())[:64].strip("-")
    return stem if re.fullmatch(abi.NAME_PATTERN, stem) else "candidate"


def _operator(table: Mapping[str, Any], offer: Offer) -> dict[str, Any]:
    own = {key: _bare(value) for key, value in table.items() if key not in _NOT_ITS_OWN}
    return {**own, "mode": "enforce", "grant": list(offer.grants)}


def _bare(value: Any) -> Any:
    """A sub-table, in which the same may stand."""
    return (
        {key: each for key, each in value.items() if key not in _NOT_ITS_OWN} if isinstance(value, Mapping) else value
    )


def _built(offer: Offer, operator: Mapping[str, Any]) -> Candidate | Refusal:
    suffix = Path(offer.name).suffix.lower()
    if suffix not in abi.SUFFIXES:
        return Refusal("name", f"a rule's file ends in {' or '.join(sorted(abi.SUFFIXES))}", "give it that name")
    if len(offer.data) > abi.LIMITS["module"].cap:
        return Refusal("size", f"it is over {abi.LIMITS['module'].cap} bytes", "no module may be larger")
    if wrong := _manifest_fault(offer.manifest):
        return Refusal("manifest", wrong, "mend the manifest")
    with TemporaryDirectory(prefix="terraphim-candidate-") as folder:
        path = Path(folder) / f"{stem_of(offer.name)}{suffix}"
        path.write_bytes(offer.data)
        if offer.manifest:
            path.with_suffix(".toml").write_text(offer.manifest, "utf-8")
        rule = load_file(path, operator, cache=Path(folder) / "cache")
        if isinstance(rule, Refusal):
            return rule
        code = read_artifact(rule.compiled.artifact)
    return Candidate(rule, code) if code else Refusal("cache", "its machine code is gone", "try it again")


def _manifest_fault(text: str) -> str:
    if len(text) > MANIFEST_MAX:
        return f"the manifest is over {MANIFEST_MAX} characters"
    try:
        tomllib.loads(text)
        text.encode()
    except (ValueError, RecursionError) as exc:  # TOML's, an integer without end, or what is no Unicode
        return f"the manifest is no TOML: {str(exc)[:200]}"
    return ""
