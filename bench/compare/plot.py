"""Bars of requests per second as SVG: a group for each cell, a bar for each target, on a logarithmic axis. Pure."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from bench.compare.figures import Figure, Results
from bench.row import number

#: Units of the drawing.
_BAR, _GAP, _LEFT, _TOP, _TALL, _LEGEND = 9, 22, 60, 40, 300, 18
#: Where the bars stand.
_BASE: Final = _TOP + _TALL
#: The first eight are told apart with any kind of colour vision (Okabe and Ito).
_COLOURS: Final = (
    "#d55e00", "#e69f00", "#cc79a7", "#f0e442", "#0072b2", "#56b4e9", "#009e73", "#999999", "#000000", "#8c510a",
    "#762a83", "#1b7837",
)  # fmt: skip


def plots(results: Results) -> Iterator[tuple[str, str]]:
    """(file name, SVG) for each form and way that was measured."""
    for form, way in dict.fromkeys((cell.form, cell.way) for cell in results.cells()):
        cells = [cell for cell in results.cells() if (cell.form, cell.way) == (form, way)]
        names = list(dict.fromkeys(name for cell in cells for name in results.targets(cell)))
        groups = [
            (f"{cell.size} c={cell.connections}", [results.of(cell, name, lambda one: one.seen.rate) for name in names])
            for cell in cells
        ]
        title = f"{form}, {way}: requests per second (lowest … highest of the rounds), logarithmic"
        yield f"{form.lower()}-{way}.svg", bars(title, names, groups)


def bars(title: str, names: Sequence[str], groups: Sequence[tuple[str, Sequence[Figure | None]]]) -> str:
    """One picture. A target that was not measured in a cell has no bar there."""
    ends = _ends([figure for _, figures in groups for figure in figures if figure])
    step = len(names) * _BAR + _GAP
    wide = _LEFT + step * len(groups) + 20
    drawn = [_text(_LEFT, 20, title), *_axis(ends, wide)]
    for at, (label, figures) in enumerate(groups):
        left = _LEFT + _GAP / 2 + at * step
        drawn.append(_text(left, _BASE + 16, label))
        for each, (name, figure) in enumerate(zip(names, figures, strict=True)):
            if figure:
                drawn += _bar(left + each * _BAR, f"{name}, {label}", figure, ends, _colour(each))
    drawn += _legend(names)
    tall = _BASE + 40 + len(names) * _LEGEND
    size = f'viewBox="0 0 {wide} {tall}" width="{wide}" height="{tall}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(drawn)}</svg>\n'
    )


def _ends(known: Sequence[Figure]) -> tuple[float, float]:
    """The powers of ten around all of them."""
    low = 10.0 ** math.floor(math.log10(min(figure.lowest for figure in known)))
    high = 10.0 ** math.ceil(math.log10(max(figure.highest for figure in known)))
    return low, max(high, 10 * low)


def _colour(at: int) -> str:
    return _COLOURS[at % len(_COLOURS)]


def _legend(names: Sequence[str]) -> Iterator[str]:
    for at, name in enumerate(names):
        y = _BASE + 36 + at * _LEGEND
        yield f'<rect x="{_LEFT}" y="{y - 9}" width="10" height="10" fill="{_colour(at)}"/>'
        yield _text(_LEFT + 16, y, name)


def _height(value: float, ends: tuple[float, float]) -> float:
    low, high = ends
    return _TALL * math.log10(value / low) / math.log10(high / low)


def _axis(ends: tuple[float, float], wide: float) -> Iterator[str]:
    for power in range(round(math.log10(ends[0])), round(math.log10(ends[1])) + 1):
        y = _BASE - _height(10.0**power, ends)
        yield f'<line x1="{_LEFT}" x2="{wide - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        yield _text(4, y + 4, number(10.0**power))


def _bar(x: float, name: str, figure: Figure, ends: tuple[float, float], colour: str) -> Iterator[str]:
    tall, lowest, highest = (_height(value, ends) for value in figure)
    said = f"{name}: {number(figure.value)} ({number(figure.lowest)} … {number(figure.highest)})"
    yield (
        f'<rect x="{x:.1f}" y="{_BASE - tall:.1f}" width="{_BAR - 1}" height="{tall:.1f}" fill="{colour}">'
        f"<title>{escape(said)}</title></rect>"
    )
    middle = f"{x + (_BAR - 1) / 2:.1f}"
    y1, y2 = f"{_BASE - lowest:.1f}", f"{_BASE - highest:.1f}"
    yield f'<line x1="{middle}" x2="{middle}" y1="{y1}" y2="{y2}" stroke="#000"/>'


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
