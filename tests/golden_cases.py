"""Golden cases: `tests/golden/KIND/NAME.txt`, one case a file.

    # options of the case, space-separated: model=M max_tokens=N drop_thinking copy include_usage status=N
    # thinking_mode=budget|adaptive|both without=effort,sampling
    input
    ---
    expected

Adding a case is adding a file. A file may have several expected parts, each after a line `--- NAME` (`load_parts`).
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"
_PART = re.compile(rb"^--- (\S+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """One file: its options, and its sections as bytes."""

    options: dict[str, str]
    given: bytes
    expected: bytes
    #: Several expected parts by name, instead.
    parts: dict[str, bytes] = field(default_factory=dict)


def names(kind: str) -> list[str]:
    """The cases of a kind; never none, so that a moved folder cannot pass."""
    found = sorted(path.stem for path in (FOLDER / kind).glob("*.txt"))
    assert found, f"no golden cases in {kind}"
    return found


def folders(kind: str) -> list[str]:
    """The dialects, or pairs of them, that a kind has cases of."""
    found = sorted(path.name for path in (FOLDER / kind).iterdir())
    assert found, f"no folders in {kind}"
    return found


def load(kind: str, name: str) -> Case:
    options, rest = _opened(kind, name)
    given, _, expected = rest.partition(b"---\n")
    return Case(options, given, expected)


def load_parts(kind: str, name: str) -> Case:
    options, rest = _opened(kind, name)
    given, *named = _PART.split(rest)
    return Case(options, given, b"", dict(zip(map(bytes.decode, named[::2]), named[1::2], strict=True)))


def write_parts(kind: str, name: str, case: Case) -> None:
    """For review by people; no test writes."""
    head = b"# " + " ".join(f"{key}={value}" if value else key for key, value in case.options.items()).encode()
    parts = b"".join(b"--- %s\n%s" % (part.encode(), data) for part, data in case.parts.items())
    (FOLDER / kind / f"{name}.txt").write_bytes(head.strip() + b"\n" + case.given + parts)


def _opened(kind: str, name: str) -> tuple[dict[str, str], bytes]:
    head, _, rest = (FOLDER / kind / f"{name}.txt").read_bytes().partition(b"\n")
    assert head.startswith(b"#"), f"{kind}/{name}: the first line holds the options"
    return dict(pair.partition("=")[::2] for pair in head.decode()[1:].split()), rest
