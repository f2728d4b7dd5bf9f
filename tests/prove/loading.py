"""Modules through the real loader, each compiled in its child, and what that cost."""

import resource
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from wasm_host import abi
from wasm_host.preflight import Refusal
from wasm_host.registry import load_file
from wasm_host.rule import Rule

#: Files may be as large as any operator could allow, and a call lasts as long, so that what ends it is its fuel.
OPERATOR: Final[dict[str, Any]] = {
    "limits": {"module": abi.LIMITS["module"].cap, "timeout_ms": abi.LIMITS["timeout_ms"].cap}
}
#: Refusals that would mean that something of ours gave way. `time` is a wall clock's, four times the limit on CPU.
UNSTATED: Final = frozenset({"crash", "time", "cache", "file"})


class Judged(Struct, frozen=True):
    """What came of one file. `cpu_s` is what its compiling child used, if no other child ended meanwhile."""

    result: Rule | Refusal
    cpu_s: float = 0.0

    @property
    def code(self) -> str:
        """The refusal's code, or `loaded`."""
        return self.result.code if isinstance(self.result, Refusal) else "loaded"


def judge(path: Path, *, cache: Path) -> Judged:
    """Load one file as the proxy does."""
    before = _children_cpu()
    result = load_file(path, OPERATOR, cache=cache)
    return Judged(result, _children_cpu() - before)


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def ill_said(judged: Judged) -> str:
    """What is wrong with how a refusal is told, or nothing."""
    if not isinstance(judged.result, Refusal):
        return ""
    message, hint = judged.result.message, judged.result.hint
    if judged.code in UNSTATED:
        return f"refused as {judged.code}: {message[:200]}"
    return "" if 0 < len(message) <= 2_100 and hint else f"{len(message)} characters say why, hint {hint!r}"
