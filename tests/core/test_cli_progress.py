from io import StringIO
from threading import Event

import pytest

from core import cli_progress
from core.cli_progress import Busy, Progress, counted


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_told_now_and_then_and_left_clean() -> None:
    now, file = [0.0], Terminal()
    with Progress("records", file=file, clock=lambda: now[0]) as progress:
        for second in (0.1, 0.25, 0.3, 1.0):
            now[0] = second
            progress.more(100)
        assert progress.per_second == 400
    assert file.getvalue().split("\r\x1b[K") == ["", "200 records, 800/s", "400 records, 400/s", ""]


def test_nobody_else_is_told() -> None:
    file = StringIO()
    with Progress("records", file=file) as progress:
        progress.more(10)
    assert (file.getvalue(), progress.done) == ("", 10)


def test_items_are_counted_and_passed_on() -> None:
    assert list(counted(iter("abc"), "letters")) == ["a", "b", "c"]


def test_what_cannot_say_how_far_it_is_says_how_long_it_works() -> None:
    shown = Event()

    class Watched(Terminal):
        def write(self, text: str) -> int:
            shown.set()
            return super().write(text)

    file = Watched()
    with Busy("compiling rules", file=file, every_s=0.01):
        assert shown.wait(10)
    assert "compiling rules, 0 s" in file.getvalue()
    assert file.getvalue().endswith("\r\x1b[K")
    nobody = StringIO()
    with Busy("compiling rules", file=nobody, every_s=0.0):
        pass
    assert nobody.getvalue() == ""


def test_quiet_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_progress, "_hushed", Event())
    cli_progress.hush()
    file = Terminal()
    with Progress("records", file=file, clock=iter(range(10)).__next__) as progress, Busy("x", file=file, every_s=0.0):
        progress.more(5)
    assert file.getvalue() == ""
