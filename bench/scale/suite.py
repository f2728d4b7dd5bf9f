"""All curves, one after the other."""

from collections.abc import Iterator
from pathlib import Path

from bench.row import Row
from bench.scale import conversations, rules, streams, targets, taxonomies
from bench.scale.curve import Curve, pictures
from bench.scale.measuring import Effort


def rows(effort: Effort, folder: Path | None = None) -> Iterator[Row]:
    """Every figure; at the end, pictures of the curves go into the folder."""
    drawn = list[Curve]()
    parts = (conversations.measured, rules.measured, taxonomies.measured, targets.measured, streams.measured)
    for measured in parts:
        for row, curve in measured(effort):
            yield row
            drawn += [] if curve is None else [curve]
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, svg in pictures(drawn):
            (folder / name).write_text(svg)
