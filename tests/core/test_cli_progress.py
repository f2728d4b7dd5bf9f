from io import StringIO

from core.cli_progress import Progress


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
