"""Golden cases: `tests/golden/KIND/NAME.txt`, one case a file.

    # options of the case, space-separated: model=M max_tokens=N drop_thinking include_usage status=N
    input
    ---
    expected

Adding a case is adding a file.
"""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Case:
    """One file: its options, and its sections as bytes."""

    options: dict[str, str]
    given: bytes
    expected: bytes


def names(kind: str) -> list[str]:
    """The cases of a kind; never none, so that a moved folder cannot pass."""
    found = sorted(path.stem for path in (FOLDER / kind).glob("*.txt"))
    assert found, f"no golden cases in {kind}"
    return found


def load(kind: str, name: str) -> Case:
    head, _, rest = (FOLDER / kind / f"{name}.txt").read_bytes().partition(b"\n")
    assert head.startswith(b"#"), f"{kind}/{name}: the first line holds the options"
    options = dict(pair.partition("=")[::2] for pair in head.decode()[1:].split())
    given, _, expected = rest.partition(b"---\n")
    return Case(options, given, expected)
