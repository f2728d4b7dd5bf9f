from typing import Any

import pytest
from rich.console import Console

from core.cli_top_frame import frame
from core.top_figures import Figures

NOW = 1_800_000_000_000
EVIL = "\x1b]0;evil\x07\x1b[2J\u202eabc\n[bold]x"


def drawn(figures: Figures, width: int = 140, height: int = 40, state: str = "") -> str:
    console = Console(width=width, height=height, highlight=False, markup=False, emoji=False, no_color=True)
    with console.capture() as capture:
        console.print(frame(figures, where="http://127.0.0.1:1", state=state, now_ms=NOW, size=(width, height)))
    return capture.get()


def telling() -> Figures:
    figures = Figures()
    figures.take("hello", {"version": "0.1.0", "snapshot": "6d71c4d5e185", "simulated": True, "problems": [{}]})
    figures.take("request", {
        "id": "req_1", "at_ms": NOW, "client": "laptop", "requested": "auto", "target": "one,a", "answered_by": "two,b",
        "phase": "custom", "reason": "rule:cheap", "status": 200, "state": "done", "ms": 1234.5, "first_ms": 30.0,
        "tokens": {"input": 1500, "output": 20}, "cost_micro_usd": 1234,
    })  # fmt: skip
    figures.take("request", {"id": "req_2", "at_ms": NOW, "target": "one,a", "state": "open", "status": 0})
    targets = [{"target": "one,a", "breaker": "open", "requests": 3, "errors": 2, "p50_ms": 20, "spend_micro_usd": 5}]
    figures.take("providers", {"providers": [{"targets": [*targets, {"target": "idle,x", "breaker": "closed"}]}]})
    figures.take(
        "rules", {"rules": [{"name": "cheap", "mode": "shadow", "breaker": "closed", "outcomes": {"route": 7}}]}
    )
    return figures


def test_everything_that_is_known_is_there() -> None:
    shown = drawn(telling())
    for part in (
        "6d71c4d5e185",
        "SIMULATED",
        "1 problems",
        "two,b",
        "rule:cheap",
        "custom",
        "1,234",
        "1,500/20",
        "0.0012",
    ):
        assert part in shown, part
    assert "route 7" in shown
    assert "idle,x" not in shown
    assert "the proxy has ended" in drawn(telling(), state="the proxy has ended")


@pytest.mark.parametrize(("width", "height"), [(40, 14), (80, 24), (110, 30), (200, 60), (20, 5)])
def test_it_fits_the_terminal(width: int, height: int) -> None:
    figures = telling()
    for number in range(100):
        figures.take("request", {"id": str(number), "at_ms": NOW, "requested": "x" * 300, "reason": "y" * 300})
    lines = drawn(figures, width, height).splitlines()
    assert max(map(len, lines)) <= width
    if width >= 40:
        assert len(lines) <= height


def test_names_move_no_cursor() -> None:
    figures = telling()
    hostile: dict[str, Any] = dict.fromkeys(
        ("id", "client", "requested", "target", "answered_by", "phase", "reason", "status", "error"), EVIL
    )
    figures.take("request", hostile | {"tokens": EVIL, "at_ms": EVIL, "ms": EVIL, "cost_micro_usd": EVIL})
    figures.take("hello", {"version": EVIL, "snapshot": EVIL, "requests": EVIL, "in_flight": EVIL, "started_ms": 1})
    figures.take("request", hostile)
    figures.take("providers", {"providers": [{"targets": [{"target": EVIL, "breaker": EVIL, "requests": EVIL}]}]})
    figures.take("rules", {"rules": [{"name": EVIL, "mode": EVIL, "outcomes": {EVIL: EVIL}, "micros": EVIL}]})
    shown = drawn(figures, state=EVIL)
    assert all(line.isprintable() for line in shown.splitlines())
    assert "\\x1b]0;" in shown
