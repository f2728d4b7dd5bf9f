"""Line numbers of keys in a TOML text, so that an error can say where.

tomllib gives values without positions. This finds `[table]` headers and `key =` at the start of a line, which is how
people write configuration; a key inside an inline table is reported at the line of the table's own key.
"""

import re
from collections.abc import Mapping, Sequence

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=""")
_PART = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*(?:\.|$)""")

Path = tuple[str, ...]


def _split(dotted: str) -> Path:
    return tuple(next(part for part in match.groups() if part is not None) for match in _PART.finditer(dotted))


def key_lines(text: str) -> dict[Path, int]:
    """1-based line of each key path; the n-th table of an array `[[a.b]]` is `("a", "b", "n")`."""
    lines: dict[Path, int] = {}
    table: Path = ()
    counts: dict[Path, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            table = _split(header[2])
            if header[1] == "[[":
                index = counts.get(table, 0)
                counts[table] = index + 1
                table = (*table, str(index))
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault(table + _split(key[1]), number)
    return lines


def line_of(lines: Mapping[Path, int], path: Sequence[str | int]) -> int:
    """The line of the path or of its nearest parent; 0 when neither is in the text."""
    parts = tuple(map(str, path))
    while parts:
        if parts in lines:
            return lines[parts]
        parts = parts[:-1]
    return 0
