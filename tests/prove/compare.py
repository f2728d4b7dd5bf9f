"""`python -m prove.compare`: the faults of `faultd`, the same requests and judge, for LiteLLM's proxy and for ours.

Every fault in every form (both fronts, both providers' dialects, streamed and not), `--times N` times, first through
one proxy, then through the other; costly faults in a process of their own. LiteLLM is installed by pip into
.tools/litellm; the exit code is 1 if it cannot be. The judge is lenient (`leniency`). What is printed says what counts
as what.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import uvloop

from prove import installing, rival, truth
from prove.faultd_table import FAULTS
from prove.leniency import MEANING, Outcome, weigh
from prove.oracle import Verdict
from prove.oracle_http import Reply
from prove.rig import BOUND_S, CLOCKS, Ask, Asking, Rig, forms, rig

#: Starts a proxy and its provider in a folder.
Start = Callable[[Path], AbstractContextManager[Rig]]
#: Requests at once: few enough that neither proxy misses a clock because it has too much to do.
AT_ONCE: Final = 8
_FIRST: Final = ("good_text", "good_thinking", "good_tools")
_USUAL_WEIGHT: Final = 10
#: So many kinds of violation are told for each.
_TOLD: Final = 40


class Tally(truth.Table):
    """Fault × outcomes of one proxy, judged leniently, and how often each violation was seen."""

    def __init__(self) -> None:
        super().__init__()
        self.redirects = 0

    def add(self, ask: Ask, reply: Reply, verdict: Verdict) -> None:
        """One exchange."""
        outcome, why = weigh(ask.case, reply)
        self.verdicts[ask.fault][outcome.value] += 1
        if why:
            self.wrong[f"{outcome.value} {truth.form(ask)}: {why}"] += 1

    def sums(self) -> Counter[str]:
        """Over all faults."""
        total: Counter[str] = Counter()
        for codes in self.verdicts.values():
            total.update(codes)
        return total


def plan(times: int, between: str = ",") -> list[list[Ask]]:
    """The same requests for everybody but for the mark in a model's name; see `Asking`. A list for each process.

    Each costly fault has a process of its own: a proxy that it blocks for minutes should not lose the others by it.
    """
    asking = Asking(4, between)
    by_fault = {
        name: [
            asking.one(name, client, upstream, streamed=streamed)
            for client, upstream, streamed in forms(name)
            if {client.name, upstream} <= rival.MODELS.keys()
            for _ in range(times)
        ]
        for name in FAULTS
    }
    costly = [name for name, fault in FAULTS.items() if fault.weight < _USUAL_WEIGHT]
    usual = [ask for name, asks in by_fault.items() if name not in costly for ask in asks]
    asking.rng.shuffle(usual)
    return [usual, *(by_fault[name] for name in costly)]


def tried(start: Start, folder: Path, plans: list[list[Ask]]) -> Tally:
    """All requests through one proxy, each process after good ones that do not count: its first answers are slow."""
    tally, first = Tally(), [ask for ask in plans[0] if ask.fault in _FIRST]
    for number, asks in enumerate(plans):
        with start(folder / str(number)) as running:
            uvloop.run(truth.exchange(running.proxy.port, first, Tally(), AT_ONCE))
            uvloop.run(truth.exchange(running.proxy.port, asks, tally, AT_ONCE))
            tally.redirects += running.control()["trapped"]
    return tally


def lines(tallies: Mapping[str, Tally]) -> Iterator[str]:
    """The table of all proxies side by side, their sums, and what was wrong."""
    yield from (f"{outcome.value:<12}  {meaning}" for outcome, meaning in MEANING.items())
    width = max(map(len, FAULTS))
    heading = " ".join(f"{outcome.value:>{_wide(outcome)}}" for outcome in Outcome)
    yield ""
    yield " | ".join([" " * width, *(f"{name:<{len(heading)}}" for name in tallies)])
    yield " | ".join([f"{'fault':<{width}}", *[heading] * len(tallies)])
    for fault in FAULTS:
        yield " | ".join([f"{fault:<{width}}", *(_row(tally.verdicts[fault]) for tally in tallies.values())])
    yield " | ".join([f"{'sum':<{width}}", *(_row(tally.sums()) for tally in tallies.values())])
    for name, tally in tallies.items():
        yield f"\n{name}: {sum(tally.wrong.values())} violations and hangs in {tally.total} requests"
        yield f"  redirects followed: {tally.redirects}"
        yield from (f"  {what} ({count}×)" for what, count in tally.wrong.most_common(_TOLD))
        if len(tally.wrong) > _TOLD:
            yield f"  and {len(tally.wrong) - _TOLD} other kinds"


def _wide(outcome: Outcome) -> int:
    return max(4, len(outcome.value))


def _row(codes: Counter[str]) -> str:
    return " ".join(f"{codes[outcome.value] or '.':>{_wide(outcome)}}" for outcome in Outcome)


def compare(times: int, folder: Path) -> dict[str, Tally]:
    """By the proxies' names. `installing.NotInstalled` if there is nothing to compare with."""
    version = rival.install()
    print(f"LiteLLM {version}; clocks {CLOCKS}, a hang is {BOUND_S:.0f} s, {AT_ONCE} requests at once", flush=True)
    return {
        "Terraphim LLM Proxy": tried(rig, folder / "ours", plan(times)),
        f"LiteLLM {version}": tried(rival.running, folder / "theirs", plan(times, rival.BETWEEN)),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m prove.compare", description=__doc__)
    parser.add_argument("--times", type=int, default=1, help="requests for each form of each fault")
    times = parser.parse_args().times
    with TemporaryDirectory() as folder:
        try:
            tallies = compare(times, Path(folder))
        except installing.NotInstalled as exc:
            sys.exit(f"NOT COMPARED: LiteLLM cannot be installed or started here.\n{exc}")
        print("\n".join(lines(tallies)))


if __name__ == "__main__":
    main()
