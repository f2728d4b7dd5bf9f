"""Promise: who asks with an official SDK gets the whole answer, or that SDK's own API error; and its retries end.

What the SDKs saw is judged here; they themselves run in a child (`sdks_client`).
"""

import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import msgspec

from bench import children
from prove.faultd_table import FAULTS
from prove.oracle import Kind, Verdict, allowed, check_prefix, check_words
from prove.oracle_reading import CLIENTS, Wrong
from prove.rig import BOUND_S, Ask, Asking, Rig, forms, rig
from prove.sdks_client import Call, Got, Way
from prove.section import Section, tally

#: Threads at once, and calls at once where the proxy's own retries may not run out of their budget.
_MANY, _FEW = 32, 2
#: All calls together (s): a hang bound.
_PATIENCE_S: Final = 600.0
#: What the SDKs try again by themselves, each at the first sight of it.
RETRIED: Final = ("storm_5xx", "overloaded_529", "close_unanswered", "reset_unanswered")
_TOLD: Final = 30
#: (fault, SDK, way, provider's dialect): what the SDK is known to raise, and why that is not the proxy's lie. An entry
#: that is not needed any more is a finding.
EXCUSED: Final = {
    ("usage_missing", "anthropic", "helper", "anthropic"): (
        "builtins.AttributeError",
        "the provider's stream has no `usage`; in its own dialect it passes as it is, and the SDK's accumulate_event"
        " reads usage.output_tokens without looking",
    ),
}


class Asked(NamedTuple):
    """A call, and what its answer is judged by."""

    ask: Ask
    call: Call

    @property
    def form(self) -> tuple[str, str, str, str]:
        """Fault, SDK, way, provider's dialect."""
        return self.ask.fault, self.call.sdk, self.call.way, self.ask.upstream

    def __str__(self) -> str:
        return f"{self.ask.fault}, {self.call.sdk} SDK ({self.call.way}), {self.ask.upstream} provider"


def judge(asked: Asked, got: Got | None) -> Verdict:
    """VIOLATION for anything but the whole answer or an API error that says why, where the fault allows it."""
    case = asked.ask.case
    try:
        verdict = _read(asked, got)
    except Wrong as exc:
        return Verdict(Kind.VIOLATION, str(exc))
    return allowed(case, verdict)


def _read(asked: Asked, got: Got | None) -> Verdict:
    case = asked.ask.case
    if got is None or got.seconds > BOUND_S:
        raise Wrong("hangs")
    everything = f"{got.shown} {got.told} {''.join(got.content)}".encode()
    if any(secret in everything for secret in case.secrets):
        raise Wrong("a secret is in what the SDK shows")
    if got.how == "answer":
        if not got.finished:
            raise Wrong("the SDK returns an answer that does not say that it is whole")
        check_words(case, got.content)
        return Verdict(Kind.COMPLETE)
    if got.how in ("foreign", "connection"):
        raise Wrong(f"{got.name}: {got.shown[:200]}")
    if not got.told or (got.how == "event" and not case.streamed):
        raise Wrong(f"{got.name} does not say why: {got.shown[:200]}")
    check_prefix(case, got.content)
    return Verdict(Kind.HONEST_ERROR, got.name)


class Table:
    """What the SDKs saw, and what was wrong."""

    def __init__(self) -> None:
        self.kinds: dict[str, Counter[str]] = {client.name: Counter() for client in CLIENTS}
        self.wrong: Counter[str] = Counter()
        self.excused: Counter[str] = Counter()
        self.faults: set[str] = set()

    def add(self, asked: Asked, got: Got | None) -> None:
        """One call."""
        verdict = judge(asked, got)
        self.faults.add(asked.ask.fault)
        seen = "no end" if got is None else got.how if got.how == "answer" else f"{got.name} ({got.how})"
        self.kinds[asked.call.sdk][seen] += 1
        if (excuse := EXCUSED.get(asked.form)) and excuse[0] == (got.name if got else ""):
            self.excused[f"{asked}: {excuse[1]}"] += 1
        elif excuse:
            self.wrong[f"{asked}: the exception is not needed any more"] += 1
        elif verdict.kind is Kind.VIOLATION:
            self.wrong[f"{asked}: {verdict.why}"] += 1

    def into(self, section: Section) -> None:
        """Its lines and findings."""
        for sdk, seen in self.kinds.items():
            section.counts[f"the {sdk} SDK saw"] = tally(seen)
        section.counts["exceptions"] = tally(self.excused) or "none"
        section.findings += [f"{what} ({count}×)" for what, count in self.wrong.most_common(_TOLD)]
        if len(self.wrong) > _TOLD:
            section.findings.append(f"and {len(self.wrong) - _TOLD} other kinds of violation")
        section.findings += [f"{name} was never asked for" for name in FAULTS if name not in self.faults]


def section(folder: Path, each: int) -> Section:
    """Up to so many calls of each fault; and retries."""
    table = Table()
    with rig(folder) as running:
        base = f"http://127.0.0.1:{running.proxy.port}"
        asked = plan(base, each)
        found = Section(f"{len(asked)} calls of the official SDKs over {len(FAULTS)} faults")
        for one, got in zip(asked, exchange(running.folder, [one.call for one in asked], _MANY), strict=True):
            table.add(one, got)
        table.into(found)
        retries = _retries(running, base, found)
        found.findings += running.after()
    wrong, excused = sum(table.wrong.values()), sum(table.excused.values())
    found.number = (
        f"{wrong} of {len(asked)} calls saw anything but the whole answer or an API error"
        f" ({excused} stated exceptions); {retries}"
    )
    return found


def plan(base_url: str, each: int) -> list[Asked]:
    """Up to so many calls of each fault out of every SDK, way and provider, in a mixed order; the same each time."""
    asking, planned = Asking(11), list[Asked]()
    for name in FAULTS:
        ways = [(form, way) for form in forms(name) for way in get_args(Way) if (way != "whole") == form[2]]
        for (client, upstream, streamed), way in asking.rng.sample(ways, min(each, len(ways))):
            ask = asking.one(name, client, upstream, streamed=streamed)
            planned.append(Asked(ask, call_of(ask, len(planned), way, base_url)))
    order = asking.rng.sample(planned, len(planned))
    return [one._replace(call=msgspec.structs.replace(one.call, number=at)) for at, one in enumerate(order)]


def call_of(ask: Ask, number: int, way: Way, base_url: str, retries: int | None = 0) -> Call:
    """The same request, as an SDK is told."""
    fields = msgspec.json.decode(ask.data.partition(b"\r\n\r\n")[2], type=dict[str, Any])
    return Call(number, ask.case.client.name, way, base_url, fields, retries)


def exchange(folder: Path, calls: Sequence[Call], threads: int) -> list[Got | None]:
    """What the SDKs saw, in the order of `calls`; None for those that had no end."""
    env = children.environment(folder / "sdks")
    command = children.python("-m", "prove.sdks_client", str(threads))
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            out, _ = process.communicate(msgspec.json.encode(calls), _PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
    seen = {got.number: got for got in (msgspec.json.decode(line, type=Got) for line in out.splitlines())}
    return [seen.get(call.number) for call in calls]


def _retries(running: Rig, base: str, found: Section) -> str:
    """The SDKs with their own number of retries: at the provider itself, then behind the proxy."""
    straight = f"http://127.0.0.1:{running.ports['main']}"
    sent = {
        where: [got.sent if got else 0 for got in exchange(running.folder, calls, threads)]
        for where, calls, threads in (
            ("at the provider", list(_retried(straight)), _MANY),
            ("behind the proxy", list(_retried(base)), _FEW),
        )
    }
    for where, counts in sent.items():
        found.counts[f"requests a call, {where}"] = tally(Counter(map(str, counts)))
    found.findings += retry_findings(*sent.values())
    return f"{sum(sent['behind the proxy'])} requests for {len(sent['behind the proxy'])} calls with retries"


def retry_findings(straight: Sequence[int], behind: Sequence[int]) -> Iterator[str]:
    """Requests a call: a failure that the proxy has already tried twice must not be tried again by the client."""
    if min(straight) < 2:
        yield "without the proxy an SDK did not try again: nothing is shown"
    if again := sum(count != 1 for count in behind):
        yield f"{again} of {len(behind)} calls were not exactly one request"


def _retried(base_url: str) -> Iterator[Call]:
    asking, number = Asking(12), 0
    for name in RETRIED:
        for client in CLIENTS:
            for way in get_args(Way):
                ask = asking.one(name, client, client.name, streamed=way != "whole")
                yield call_of(ask, number, way, base_url, retries=None)
                number += 1
