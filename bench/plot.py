"""Figures as SVG on logarithmic axes: bars in groups, and curves. Pure."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from bench.row import number
from bench.stats import Figure

#: Units of the drawing.
_BAR, _GAP, _LEFT, _TOP, _TALL, _LEGEND = 9, 22, 60, 40, 300, 18
#: Of curves.
_WIDE: Final = 560
#: Where the bars stand.
_BASE: Final = _TOP + _TALL
#: The first eight are told apart with any kind of colour vision (Okabe and Ito).
_COLOURS: Final = (
    "#d55e00", "#e69f00", "#cc79a7", "#f0e442", "#0072b2", "#56b4e9", "#009e73", "#999999", "#000000", "#8c510a",
    "#762a83", "#1b7837",
)  # fmt: skip


#: A curve's points, from left to right: where, and what.
Points = Sequence[tuple[float, Figure]]


def bars(title: str, names: Sequence[str], groups: Sequence[tuple[str, Sequence[Figure | None]]]) -> str:
    """A group for each label, a bar in it for each name. What was not measured has no bar."""
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
    return _svg(wide, names, drawn)


def curves(title: str, of: str, lines: Sequence[tuple[str, Points]]) -> str:
    """A line for each name, over `of` what; a stroke at each point goes from the lowest to the highest. Values and
    places are greater than 0.
    """
    ends = _ends([figure for _, points in lines for _, figure in points])
    places = sorted({place for _, points in lines for place, _ in points})
    drawn = [_text(_LEFT, 20, title), *_axis(ends, _LEFT + _WIDE + 20), _text(_LEFT + _WIDE - 60, _BASE + 30, of)]
    drawn += [_text(_across(place, places), _BASE + 16, f"{place:,.0f}") for place in places]
    for at, (name, points) in enumerate(lines):
        drawn += _curve(name, [(_across(place, places), place, figure) for place, figure in points], ends, _colour(at))
    return _svg(_LEFT + _WIDE + 60, [name for name, _ in lines], drawn)


def _across(place: float, places: Sequence[float]) -> float:
    """Where it is on the horizontal axis, which is logarithmic, too."""
    whole = math.log(places[-1] / places[0]) or 1.0
    return _LEFT + _WIDE * math.log(place / places[0]) / whole


def _curve(
    name: str, points: Sequence[tuple[float, float, Figure]], ends: tuple[float, float], colour: str
) -> Iterator[str]:
    path = " ".join(f"{x:.1f},{_BASE - _height(figure.value, ends):.1f}" for x, _, figure in points)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for x, place, figure in points:
        yield _whisker(x, figure, ends)
        y = _BASE - _height(figure.value, ends)
        said = f"{name}, {place:,.0f}: {_said(figure)}"
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{escape(said)}</title></circle>'


def _svg(wide: float, names: Sequence[str], drawn: Sequence[str]) -> str:
    tall = _BASE + 40 + len(names) * _LEGEND
    size = f'viewBox="0 0 {wide} {tall}" width="{wide}" height="{tall}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(drawn)}{"".join(_legend(names))}</svg>\n'
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
    tall = _height(figure.value, ends)
    yield (
        f'<rect x="{x:.1f}" y="{_BASE - tall:.1f}" width="{_BAR - 1}" height="{tall:.1f}" fill="{colour}">'
        f"<title>{escape(f'{name}: {_said(figure)}')}</title></rect>"
    )
    yield _whisker(x + (_BAR - 1) / 2, figure, ends)


def _whisker(x: float, figure: Figure, ends: tuple[float, float]) -> str:
    y1, y2 = (f"{_BASE - _height(value, ends):.1f}" for value in (figure.lowest, figure.highest))
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y1}" y2="{y2}" stroke="#000"/>'


def _said(figure: Figure) -> str:
    return f"{number(figure.value)} ({number(figure.lowest)} … {number(figure.highest)})"


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
