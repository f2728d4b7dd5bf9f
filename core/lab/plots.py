"""Plots as inline SVG, without a script: what comes from elsewhere is escaped, colours are the page's classes. Pure."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from wasm_host.answer import clean

#: Units of the drawing; the page scales it.
WIDTH: Final = 720
_BAR, _GAP, _LABEL = 22, 8, 230


def flows(moves: Sequence[tuple[str, str, int]]) -> str:
    """What became of what: bands from the left names to the right ones, as thick as they are many."""
    total = sum(count for *_, count in moves)
    if not total:
        return ""
    lefts = _stacked((before, count) for before, _, count in moves)
    rights = _stacked((after, count) for _, after, count in moves)
    height = max(_height(lefts), _height(rights))
    drawn = [_label(name, 0, top, "start") for name, (top, _) in lefts.items()]
    drawn += [_label(name, WIDTH, top, "end") for name, (top, _) in rights.items()]
    used_left, used_right = dict.fromkeys(lefts, 0.0), dict.fromkeys(rights, 0.0)
    scale = _scale(total)
    for number, (before, after, count) in enumerate(moves):
        thick = max(1.5, count * scale)
        y1 = lefts[before][0] + used_left[before] + thick / 2
        y2 = rights[after][0] + used_right[after] + thick / 2
        used_left[before] += count * scale
        used_right[after] += count * scale
        middle, left, right = WIDTH / 2, _LABEL, WIDTH - _LABEL
        path = f"M{left} {y1:.1f}C{middle} {y1:.1f} {middle} {y2:.1f} {right} {y2:.1f}"
        title = _said(f"{before} → {after}: {count:,}")
        drawn.append(
            f'<path class="band c{number % 6}" d="{path}" stroke-width="{thick:.1f}"><title>{title}</title></path>'
        )
    return _svg(drawn, height, "Flips, from left to right")


def columns(names: Sequence[str], series: Sequence[tuple[str, Sequence[float]]], unit: str, title: str) -> str:
    """Columns side by side for each name, the series in their colours; values are not less than 0."""
    most = max((value for _, values in series for value in values), default=0)
    if not most:
        return ""
    height, base = 230, 190
    step = (WIDTH - 60) / len(names)
    wide = step * 0.8 / len(series)
    drawn = [_text(0, 12, f"{most:,.6g} {unit}"), _text(0, base, "0"), _line(60, base, WIDTH, base)]
    for at, (label, values) in enumerate(series):
        drawn.append(f'<rect class="c{at}" x="{60 + at * 150}" y="{height - 12}" width="10" height="10"/>')
        drawn.append(_text(76 + at * 150, height - 3, label))
        for number, value in enumerate(values):
            x, tall = 60 + number * step + at * wide, value / most * (base - 20)
            said = _said(f"{names[number]}, {label}: {value:,.6g} {unit}")
            rect = f'x="{x:.1f}" y="{base - tall:.1f}" width="{wide:.1f}" height="{tall:.1f}"'
            drawn.append(f'<rect class="c{at}" {rect}><title>{said}</title></rect>')
    every = max(1, len(names) // 8)
    drawn += [_text(60 + number * step, base + 16, names[number]) for number in range(0, len(names), every)]
    return _svg(drawn, height, title)


def _stacked(ends: Iterable[tuple[str, int]]) -> dict[str, tuple[float, float]]:
    """Names from the top down in the order of their first appearance: where each begins, and how high it is."""
    sums: dict[str, int] = {}
    for name, count in ends:
        sums[name] = sums.get(name, 0) + count
    scale, top, placed = _scale(sum(sums.values())), 6.0, dict[str, tuple[float, float]]()
    for name, count in sums.items():
        tall = count * scale
        placed[name] = (top, tall)
        top += max(tall, _BAR) + _GAP
    return placed


def _scale(total: int) -> float:
    return 200 / total


def _height(placed: dict[str, tuple[float, float]]) -> float:
    top, tall = list(placed.values())[-1]
    return top + max(tall, _BAR) + _GAP


def _label(name: str, x: float, top: float, anchor: str) -> str:
    shown = name if len(name) <= 34 else f"{name[:33]}…"
    return _text(x, top + 12, shown, anchor, name)


def _text(x: float, y: float, said: str, anchor: str = "start", title: str = "") -> str:
    more = f"<title>{_said(title)}</title>" if title else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_said(said)}{more}</text>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _svg(drawn: Iterable[str], height: float, title: str) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{_said(title)}">'
    return "\n".join([head, *drawn, "</svg>"])


def _said(text: str) -> str:
    """Text as XML, without characters that it may not hold or that would turn its direction."""
    return escape(clean(text))
