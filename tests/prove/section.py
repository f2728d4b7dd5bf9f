"""What one kind of proof did, what it counted, and what it found wrong: `Section`, and how a run of them is printed."""

from collections.abc import Iterable, Mapping

from msgspec import Struct


class Section(Struct):
    """`counts` maps a line's title to what it counted; every finding is a broken promise."""

    title: str
    counts: dict[str, str] = {}
    findings: list[str] = []

    def lines(self) -> list[str]:
        """For people."""
        width = max([len(name) for name in self.counts], default=0)
        told = [f"  {name:<{width}}  {what}" for name, what in self.counts.items()]
        return [self.title, *told, *(f"  BROKEN {finding}" for finding in self.findings)]


def tally(codes: Mapping[str, int]) -> str:
    """Counts, the largest first."""
    return ", ".join(f"{code} {count}" for code, count in sorted(codes.items(), key=lambda item: (-item[1], item[0])))


def show(sections: Iterable[Section]) -> int:
    """Print each when it is there, then the sum; the number of findings."""
    broken = 0
    for section in sections:
        print("\n".join(section.lines()), flush=True)
        broken += len(section.findings)
    print(f"{broken} broken promises" if broken else "every promise held")
    return broken
