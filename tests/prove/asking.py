"""A child that asks rules, so that what they do happens to nobody else: `ask` starts it, `_child_main` is it.

Each rule is asked twice, in fresh instances. The child says what came of a rule before it asks the next, so that the
one that ends it is known.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from prove.loading import OPERATOR
from prove.vectors import TARGETS, VIEW
from wasm_host import abi, child
from wasm_host.rule import Rule

#: A child may use this many CPU seconds and bytes of address space.
_CPU_S: Final = 30
_MEMORY: Final = 8 * 1024 * abi.MIB
_PATIENCE_S: Final = 300
#: Rules a child.
BATCH: Final = 24


class Said(Struct, frozen=True):
    """One call's end: outcome code, instructions, and what could differ between two calls beside them."""

    code: str
    fuel: int
    rest: str


class Asked(Struct, frozen=True):
    """The calls of one module; none if it would not load."""

    path: str
    said: tuple[Said, ...] = ()
    problem: str = ""


class Batch(Struct, frozen=True):
    """What a child answered before it ended. `died` is its reason if it ended early."""

    asked: tuple[Asked, ...]
    died: str = ""


def ask(paths: Sequence[Path], *, cache: Path) -> Batch:
    """Ask the modules at `paths`, whose machine code is in `cache`."""
    task = msgspec.json.encode([str(path) for path in paths])
    done = child.run("prove.asking", [str(cache)], task, timeout_s=_PATIENCE_S)
    asked = tuple(msgspec.json.decode(line, type=Asked) for line in done.stdout.splitlines())
    died = "" if done.status == 0 and len(asked) == len(paths) else f"{done.reason}: {done.stderr[-500:]}"
    return Batch(asked, died)


def _child_main(cache: Path) -> None:
    child.restrain(memory=_MEMORY, cpu_s=_CPU_S)
    for name in msgspec.json.decode(sys.stdin.buffer.read(), type=list[str]):
        sys.stdout.buffer.write(msgspec.json.encode(_twice(Path(name), cache)) + b"\n")
        sys.stdout.buffer.flush()


def _twice(path: Path, cache: Path) -> Asked:
    from wasm_host.inline import InlineRunner  # noqa: PLC0415 - the engine is loaded under the limits
    from wasm_host.registry import load_file  # noqa: PLC0415 - as above

    rule = load_file(path, OPERATOR, cache=cache)
    if not isinstance(rule, Rule):
        return Asked(str(path), problem=str(rule))
    runner, said = InlineRunner(), []
    for _ in range(2):
        [outcome] = runner.run([rule], VIEW, TARGETS)
        rest = msgspec.structs.replace(outcome, micros=0, fuel=0)
        said.append(Said(outcome.code, outcome.fuel, msgspec.json.encode(rest).decode()))
    return Asked(str(path), tuple(said))


if __name__ == "__main__":
    _child_main(Path(sys.argv[1]))
