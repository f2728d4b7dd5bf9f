import io
import logging
import threading
import time
from datetime import UTC, datetime

import msgspec

from core.logs import LogWriter, take_over

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
#: A hang bound, not a measurement.
PATIENCE_S = 10.0


class Stuck(io.StringIO):
    """A pipe that nobody reads until `reader` is set; `taken` says that the writer stands before it."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = threading.Event()
        self.reader = threading.Event()

    def write(self, text: str) -> int:
        self.taken.set()
        self.reader.wait(PATIENCE_S)
        return super().write(text)


def test_lines_come_in_order_and_none_is_lost_at_the_end() -> None:
    stream = io.StringIO()
    log = LogWriter(stream, now=lambda: NOW)
    for number in range(500):
        log.log({"number": number}, "warning" if number else "info")
    log.close()
    lines = [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]
    assert [line["number"] for line in lines] == list(range(500))
    assert lines[0] == {"time": "2026-01-02T03:04:05Z", "level": "info", "number": 0}


def test_a_line_is_written_without_another_one_or_the_end() -> None:
    stream = io.StringIO()
    log = LogWriter(stream, now=lambda: NOW)
    for number in (1, 2):
        log.log({"number": number})
        deadline = time.monotonic() + PATIENCE_S
        while f'"number":{number}' not in stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.005)
        assert f'"number":{number}' in stream.getvalue()
    log.close()


def test_a_value_cannot_begin_a_line_of_its_own() -> None:
    stream = io.StringIO()
    log = LogWriter(stream, now=lambda: NOW)
    log.log({"error": 'a\n{"level":"info"}'})
    log.close()
    assert stream.getvalue().count("\n") == 1


def test_a_full_pipe_stops_nobody_and_is_counted() -> None:
    stream = Stuck()
    log = LogWriter(stream, now=lambda: NOW, size=3)
    log.log({"number": 0})
    assert stream.taken.wait(PATIENCE_S)
    for number in range(1, 6):
        log.log({"number": number})
    assert log.dropped == 2
    stream.reader.set()
    log.close()
    lines = [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]
    assert [line["number"] for line in lines] == [0, 1, 2, 3]


def test_a_closed_stream_is_counted_and_raises_nothing() -> None:
    stream = io.StringIO()
    stream.close()
    log = LogWriter(stream, now=lambda: NOW)
    log.log({"number": 1})
    log.close()
    assert log.dropped == 1


def test_one_line_that_cannot_be_written_takes_no_other_with_it() -> None:
    stream = io.StringIO()
    log = LogWriter(stream, now=lambda: NOW)
    log.log({"model": "half a pair: \ud800"})
    log.log({"number": 1})
    log.close()
    assert log.dropped == 1
    assert msgspec.json.decode(stream.getvalue())["number"] == 1


def test_what_libraries_say_becomes_a_line_without_an_exceptions_words() -> None:
    stream, words = io.StringIO(), "the user's words"
    log = LogWriter(stream, now=lambda: NOW)
    root = logging.getLogger()
    before = root.handlers[:]
    try:
        take_over(log)
        try:
            raise ValueError(words)
        except ValueError:
            logging.getLogger("some.library").exception("Exception in %s\nfuture: " + words, words)
        logging.getLogger("some.library").info("not worth a line")
    finally:
        root.handlers[:] = before
    log.close()
    (line,) = [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]
    assert (line["event"], line["level"], line["logger"]) == ("library", "error", "some.library")
    assert line["type"] == "ValueError"
    assert "test_logs.py" in line["where"]
    assert line["message"] == "Exception in %s"
    assert words not in stream.getvalue()
