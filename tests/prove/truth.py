"""Promise: whatever a provider does, its client gets the whole answer, or an error that says so; and an end."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop

from prove.faultd_table import FAULTS
from prove.oracle import Kind, Verdict, judge
from prove.oracle_http import Connection, End, Reply
from prove.oracle_reading import CLIENTS
from prove.rig import BOUND_S, DIALECTS, Ask, Asking, rig
from prove.section import Section

#: Requests at once.
CONCURRENCY: Final = 32
#: So many findings are told, the others only counted.
_TOLD: Final = 30


class Table:
    """Fault × verdicts, and what was wrong."""

    def __init__(self) -> None:
        self.verdicts: dict[str, Counter[str]] = {name: Counter() for name in FAULTS}
        self.wrong: Counter[str] = Counter()
        self.hangs = 0

    def add(self, ask: Ask, reply: Reply, verdict: Verdict) -> None:
        """One exchange."""
        self.verdicts[ask.fault][verdict.kind.value] += 1
        self.hangs += reply.end is End.HANG
        if verdict.kind is Kind.VIOLATION:
            self.wrong[f"{form(ask)}: {verdict.why}"] += 1

    @property
    def total(self) -> int:
        return sum(codes.total() for codes in self.verdicts.values())

    def into(self, section: Section) -> None:
        """The table's lines, its findings and its number."""
        for name, codes in self.verdicts.items():
            said = " ".join(f"{kind.value} {codes[kind.value]}" for kind in Kind if codes[kind.value])
            section.counts[name] = said or "not asked"
        section.findings += [f"{what} ({count}×)" for what, count in self.wrong.most_common(_TOLD)]
        if len(self.wrong) > _TOLD:
            section.findings.append(f"and {len(self.wrong) - _TOLD} other kinds of violation")
        section.findings += [f"{name} was never asked for" for name, codes in self.verdicts.items() if not codes]
        section.number = f"{sum(self.wrong.values())} violations, {self.hangs} hangs in {self.total} requests"


def form(ask: Ask) -> str:
    """Of a request, for people."""
    how = "streamed" if ask.case.streamed else "whole"
    return f"{ask.fault}, {ask.case.client.name} client, {ask.upstream} provider, {how}"


def section(folder: Path, requests: int) -> Section:
    """So many requests over all faults."""
    found = Section(
        f"{requests} requests over {len(FAULTS)} faults, {len(CLIENTS)} fronts and {len(DIALECTS)} dialects"
    )
    table = Table()
    with rig(folder) as running:
        uvloop.run(exchange(running.proxy.port, plan(requests), table))
        trapped = running.control()["trapped"]
        found.findings += [f"{trapped} redirects were followed"] if trapped else []
        found.findings += running.after()
    table.into(found)
    return found


def plan(requests: int) -> list[Ask]:
    """Each fault at least once."""
    asking = Asking(4)
    asks = [asking.any((name,)) for name in FAULTS]
    asks += [asking.any() for _ in range(requests - len(asks))]
    asking.rng.shuffle(asks)
    return asks


async def exchange(port: int, asks: Sequence[Ask], table: Table, at_once: int = CONCURRENCY) -> None:
    """All of them, some at once, each judged."""
    waiting = iter(asks)

    async def client() -> None:
        connection: Connection | None = None
        for ask in waiting:
            if connection is None or not connection.usable:
                connection = await Connection.open(port)
            reply = await connection.ask(ask.data, BOUND_S)
            table.add(ask, reply, judge(ask.case, reply))
        if connection is not None:
            connection.leave()

    await asyncio.gather(*(client() for _ in range(at_once)))
