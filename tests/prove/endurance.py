"""Promise: a worker's memory stays what it is, however many calls and traps it has behind it."""

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from prove import guests
from prove.section import Section, tally
from wasm_host import abi
from wasm_host.compiler import read_artifact
from wasm_host.frames import NEVER, Ask, Call, Load, Result
from wasm_host.pool import Pool
from wasm_host.registry import load_file
from wasm_host.rule import Rule

#: What a worker's own memory may have grown by at the end, and what the worker may weigh (KiB).
GROWN_KIB, WEIGHT_KIB = 1024, 35 * 1024
#: As many as a proxy has, unless told otherwise: they share what is only read. The first one gets all the work.
_WORKERS: Final = 2
#: Calls in one message.
_TOGETHER: Final = 100
_REQUEST: Final = msgspec.json.encode(abi.EXAMPLE)


def section(folder: Path, calls: int, traps: int) -> Section:
    """So many calls and traps in one worker, and what it weighed before and after."""
    folder.mkdir()
    found = Section(f"{calls} calls and {traps} traps in one worker")
    modules = {
        "abstain": _module(folder, "quiet", guests.always('{"abstain":true}')),
        "trap": _module(folder, "trap", guests.trapping()),
    }
    asyncio.run(_endure(modules, {"abstain": calls, "trap": traps}, found))
    return found


def _module(folder: Path, name: str, text: str) -> Load:
    path = folder / f"{name}.wat"
    path.write_text(text)
    rule = load_file(path, {}, cache=folder / "cache")
    code = read_artifact(rule.compiled.artifact) if isinstance(rule, Rule) else None
    if not isinstance(rule, Rule) or code is None:
        raise RuntimeError(f"{name} is not a rule: {rule}")
    return Load(rule.sha256, code, abi.LIMITS["memory"].default)


async def _endure(modules: dict[str, Load], counts: dict[str, int], found: Section) -> None:
    pool = Pool(_WORKERS)
    pool.use(modules.values())
    try:
        for name, module in modules.items():  # as warm as it gets
            await _ask(pool, module, max(counts[name] // 10, 1_000))
        pids = pool.pids
        before = [weight(pid) for pid in pids]
        said = {name: await _ask(pool, module, counts[name]) for name, module in modules.items()}
        same = pool.pids == pids
        after = [weight(pid) for pid in pids] if same else before
    finally:
        await pool.close()
    found.counts = {name: tally(codes) for name, codes in said.items()}
    grown = max(late.private - early.private for early, late in zip(before, after, strict=True))
    heaviest = max(late.share for late in after)
    found.counts["own memory, KiB"] = ", ".join(
        f"{early.private} then {late.private}" for early, late in zip(before, after, strict=True)
    )
    found.counts[f"weight ({after[0].measure}), KiB"] = ", ".join(str(late.share) for late in after)
    if not same:
        found.findings.append("a worker was replaced")
    if grown > GROWN_KIB or heaviest > WEIGHT_KIB:
        found.findings.append(f"grew by {grown} KiB, and weighs {heaviest} KiB; the bounds: {GROWN_KIB}, {WEIGHT_KIB}")
    wrong = {name: dict(codes) for name, codes in said.items() if set(codes) != {name}}
    found.findings += [f"{name} ended in {codes}" for name, codes in wrong.items()]


async def _ask(pool: Pool, module: Load, count: int) -> Counter[str]:
    limits = abi.LIMITS
    call = Call(module.sha256, 0, limits["fuel"].default, limits["memory"].default, limits["timeout_ms"].default, NEVER)
    codes: Counter[str] = Counter()
    for number in range(0, count, _TOGETHER):
        calls = [call] * min(_TOGETHER, count - number)
        results = await pool.ask(Ask(number, [_REQUEST], 0, 0, calls))
        codes.update(_code(result) for result in results)
    return codes


def _code(result: Result) -> str:
    return result.fault or ("abstain" if b"abstain" in result.answer else "another answer")


class Weight(NamedTuple):
    """A process's memory in KiB: its proportional share, and what is its own alone. `measure` names the former."""

    measure: str
    share: int
    private: int


def weight(pid: int) -> Weight:
    """As the kernel says; where we may not ask that of another process, both are its resident set."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        [kib] = re.findall(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        return Weight("resident", int(kib), int(kib))
    fields = {name: int(kib) for name, kib in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
    return Weight("PSS", fields["Pss"], fields["Private_Clean"] + fields["Private_Dirty"])
