"""What one kind of proof did, what it counted, and what it found wrong: `Section`, and how a run of them is printed."""

import time
from collections.abc import Iterable, Mapping

from msgspec import Struct


class Section(Struct):
    """`counts` maps a line's title to what it counted; every finding is a broken promise.

    `number` is the one figure that the promise is known by ("0 violations in 10000 requests"); `skipped` says why
    nothing could be tried here. `seconds` is filled by `timed`.
    """

    title: str
    counts: dict[str, str] = {}
    findings: list[str] = []
    number: str = ""
    skipped: str = ""
    seconds: float = 0.0
    name: str = ""

    @property
    def verdict(self) -> str:
        """In one word."""
        return "BROKEN" if self.findings else "SKIPPED" if self.skipped else "held"

    def lines(self) -> list[str]:
        """For people."""
        width = max([len(name) for name in self.counts], default=0)
        told = [f"  {name:<{width}}  {what}" for name, what in self.counts.items()]
        if self.skipped:
            told.append(f"  SKIPPED {self.skipped}")
        return [self.title, *told, *(f"  BROKEN {finding}" for finding in self.findings)]


def tally(codes: Mapping[str, int]) -> str:
    """Counts, the largest first."""
    return ", ".join(f"{code} {count}" for code, count in sorted(codes.items(), key=lambda item: (-item[1], item[0])))


def show(sections: Iterable[Section]) -> int:
    """Print each when it is there, then a line for each and the sum; the number of findings."""
    done = []
    for section in sections:
        print("\n".join(section.lines()), flush=True)
        done.append(section)
    if any(each.name for each in done):
        print("\n".join(summary(done)))
        for each in done:
            for finding in each.findings[:5]:  # again: a log may keep only its end
                print(f"{each.name} BROKEN {finding}")
    broken = sum(len(section.findings) for section in done)
    print(f"{broken} broken promises" if broken else "every promise held")
    return broken


def summary(sections: Iterable[Section]) -> list[str]:
    """One line a promise: its name, held or BROKEN, seconds, its number."""
    rows = [(each.name, each.verdict, f"{each.seconds:.0f} s", each.number) for each in sections]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        f"{name:<{widths[0]}}  {verdict:<{widths[1]}}  {seconds:>{widths[2]}}  {number}".rstrip()
        for name, verdict, seconds, number in rows
    ]


class Stopwatch:
    """`with Stopwatch() as watch: …`; then `watch.seconds`."""

    seconds = 0.0

    def __enter__(self) -> "Stopwatch":
        self._begun = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._begun
