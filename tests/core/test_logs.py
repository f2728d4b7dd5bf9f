import io
import logging
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Literal

import msgspec
import pytest

from core import logs
from core.log_chain import LEVELS, Terminal
from core.logs import LogWriter, take_over
from core.redaction import Redactor
from core.schema_observe import LogSettings

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
#: A hang bound, not a measurement.
PATIENCE_S = 10.0


class Stuck(io.BytesIO):
    """A pipe that nobody reads until `reader` is set; `taken` says that the writer stands before it."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = threading.Event()
        self.reader = threading.Event()

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        self.taken.set()
        self.reader.wait(PATIENCE_S)
        return super().write(data)


def test_lines_come_in_order_and_none_is_lost_at_the_end() -> None:
    stream = io.BytesIO()
    log = LogWriter(stream, now=lambda: NOW)
    for number in range(500):
        log.log({"number": number}, "warning" if number else "info")
    log.close()
    lines = [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]
    assert [line["number"] for line in lines] == list(range(500))
    assert lines[0] == {"time": "2026-01-02T03:04:05Z", "level": "info", "number": 0}


def test_a_line_is_written_without_another_one_or_the_end() -> None:
    stream = io.BytesIO()
    log = LogWriter(stream, now=lambda: NOW)
    for number in (1, 2):
        log.log({"number": number})
        deadline = time.monotonic() + PATIENCE_S
        while b'"number":%d' % number not in stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.005)
        assert b'"number":%d' % number in stream.getvalue()
    log.close()


@pytest.mark.parametrize("ends", ["error", "critical", "close"])
def test_lines_are_written_together_and_an_error_waits_for_nothing(ends: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "TOGETHER_S", 600.0)
    writes: list[bytes] = []

    class Stream:
        def write(self, data: memoryview) -> int:
            writes.append(bytes(data))
            return len(data)

    log = LogWriter(Stream(), now=lambda: NOW)
    for number in range(3):
        log.log({"number": number}, "warning")
        time.sleep(0.01)
    assert writes == []
    if ends == "close":
        log.close()
    else:
        log.log({"number": 3}, ends)
    deadline = time.monotonic() + PATIENCE_S
    while not writes and time.monotonic() < deadline:
        time.sleep(0.005)
    [together] = writes
    assert together.count(b"\n") == (3 if ends == "close" else 4)
    log.close()


def test_a_value_cannot_begin_a_line_of_its_own() -> None:
    stream = io.BytesIO()
    log = LogWriter(stream, now=lambda: NOW)
    log.log({"error": 'a\n{"level":"info"}'})
    log.close()
    assert stream.getvalue().count(b"\n") == 1


def test_a_full_pipe_stops_nobody_and_is_counted() -> None:
    stream = Stuck()
    log = LogWriter(stream, now=lambda: NOW, lines=3)
    log.log({"number": 0})
    assert stream.taken.wait(PATIENCE_S)
    for number in range(1, 6):
        log.log({"number": number})
    assert log.dropped == 2
    stream.reader.set()
    log.close()
    lines = [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]
    assert [line.get("number") for line in lines if line.get("event") != "log_dropped"] == [0, 1, 2, 3]
    assert [(line["lines"], line["level"]) for line in lines if line.get("event")] == [(2, "warning")]


def test_what_waits_is_bounded_in_bytes_too() -> None:
    stream = Stuck()
    log = LogWriter(stream, now=lambda: NOW, size=100_000)
    log.log({"number": 0})
    assert stream.taken.wait(PATIENCE_S)
    for _ in range(20):
        log.log({"text": "x" * 10_000})
    assert log.dropped == 11
    log.log({"small": 1})
    assert log.dropped == 11
    stream.reader.set()
    log.close()
    assert stream.getvalue().count(b'"text"') == 9
    assert stream.getvalue().count(b'"small"') == 1
    with log._room:
        assert (log._lines, log._size) == (10_000, 100_000)


def test_a_stream_that_takes_a_little_at_a_time_loses_nothing() -> None:
    class Narrow(io.BytesIO):
        def write(self, data: memoryview) -> int:  # type: ignore[override]
            return super().write(data[:7])

    stream = Narrow()
    log = LogWriter(stream, now=lambda: NOW)
    for number in range(50):
        log.log({"number": number})
    log.close()
    assert [msgspec.json.decode(line)["number"] for line in stream.getvalue().splitlines()] == list(range(50))


def test_a_full_descriptor_that_does_not_block_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who else has it, say a program on the same terminal, may set it so."""

    class Full(io.BytesIO):
        times = 3

        def write(self, data: memoryview) -> int | None:  # type: ignore[override]
            self.times -= 1
            return None if self.times >= 0 else super().write(data)

    pauses = list[float]()
    monkeypatch.setattr(logs, "time", SimpleNamespace(sleep=pauses.append))
    stream = Full()
    log = LogWriter(stream, now=lambda: NOW)
    log.log({"number": 1})
    log.close()
    assert msgspec.json.decode(stream.getvalue())["number"] == 1
    assert pauses == [logs.AGAIN_S] * 3


def test_a_process_whose_log_nobody_reads_ends_as_it_should() -> None:
    program = (
        "from core.logs import LogWriter\n"
        "log = LogWriter()\n"
        "for _ in range(2000): log.log({'text': 'x' * 1000})\n"
        "log.close()\n"
        "print(log.dropped)\n"
    )
    silent, nobody = os.pipe()
    with subprocess.Popen([sys.executable, "-I", "-c", program], env={}, stdout=subprocess.PIPE, stderr=nobody) as ran:
        out, _ = ran.communicate(timeout=PATIENCE_S)
    os.close(nobody)
    os.close(silent)
    assert (ran.returncode, out) == (0, b"0\n")


def test_a_closed_stream_is_counted_and_raises_nothing() -> None:
    stream = io.BytesIO()
    stream.close()
    log = LogWriter(stream, now=lambda: NOW)
    log.log({"number": 1})
    log.close()
    assert log.dropped == 1


def test_one_line_that_cannot_be_written_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def finish(line: bytes) -> bytes:
        if b"bad" in line:
            raise RuntimeError
        return line + b"\n"

    stream = io.BytesIO()
    log = LogWriter(stream, now=lambda: NOW)
    monkeypatch.setattr(log, "_finish", finish)
    log.log({"model": "bad"})
    log.log({"number": 1})
    log.close()
    assert log.dropped == 1
    lines = [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]
    assert [(line.get("number"), line.get("lines")) for line in lines] == [(1, None), (None, 1)]


def test_lines_below_the_level_are_not_written() -> None:
    stream = io.BytesIO()
    log = LogWriter(stream, now=lambda: NOW)
    log.use(LogSettings(level="warning"), None)
    for level in LEVELS:
        log.log({"event": level}, level)
    log.use(LogSettings(level="debug"), None)
    log.log({"event": "at last"}, "debug")
    log.close()
    lines = [msgspec.json.decode(line)["event"] for line in stream.getvalue().splitlines()]
    assert lines == ["warning", "error", "critical", "at last"]
    assert log.dropped == 0


@pytest.mark.parametrize(
    ("chosen", "terminal", "is_json"),
    [("auto", False, True), ("auto", True, False), ("json", True, True), ("console", False, False)],
)
def test_people_read_another_format(chosen: Literal["auto", "json", "console"], terminal: bool, is_json: bool) -> None:
    stream = io.BytesIO()
    log = LogWriter(stream, now=lambda: NOW, terminal=Terminal(terminal))
    log.use(LogSettings(format=chosen), None)
    log.log({"event": "request", "status": 200})
    log.close()
    line = '{"time":"2026-01-02T03:04:05Z","level":"info","event":"request","status":200}\n'
    assert stream.getvalue().decode() == (line if is_json else "03:04:05Z [info    ] request  status=200\n")


def test_what_was_secret_before_a_reload_and_what_is_now_are_hidden() -> None:
    stream = io.BytesIO()
    log = LogWriter(stream, now=lambda: NOW)
    for secret in ("an-old-secret", "the-last-secret", "the-present-one"):
        log.use(LogSettings(), Redactor([secret]))
        log.use(LogSettings(), Redactor([secret]))
    log.log({"said": "an-old-secret, the-last-secret and the-present-one"})
    log.close()
    said = msgspec.json.decode(stream.getvalue())["said"]
    assert said == "an-old-secret, [redacted] and [redacted]"


def test_what_is_hidden_once_stays_hidden() -> None:
    stream = io.BytesIO()
    log = LogWriter(stream, now=lambda: NOW)
    log.hide(["the-collectors-key"])
    log.log({"said": "the-collectors-key"})  # before any configuration
    for secret in ("an-old-secret", "the-last-secret", "the-present-one"):
        log.use(LogSettings(), Redactor([secret]))
    log.log({"said": "the-collectors-key"})
    log.close()
    assert [msgspec.json.decode(line)["said"] for line in stream.getvalue().splitlines()] == ["[redacted]"] * 2


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `take_over` replaces is there again after the test."""
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", root.handlers[:])


@pytest.mark.usefixtures("hooks")
def test_what_nobody_caught_becomes_a_line_without_its_words() -> None:
    stream, words = io.BytesIO(), "the user's words"
    log = LogWriter(stream, now=lambda: NOW)
    take_over(log)

    class Unlucky:
        def __del__(self) -> None:
            raise ValueError(words)

    def fail(kind: type[BaseException]) -> None:
        raise kind(words)

    for kind in (RuntimeError, SystemExit):
        thread = threading.Thread(target=fail, args=(kind,))
        thread.start()
        thread.join()
    Unlucky()
    log.close()
    lines = [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["level"], line["type"]) for line in lines] == [
        ("bug", "error", "RuntimeError"),
        ("bug", "error", "ValueError"),
    ]
    assert all("test_logs.py" in line["where"] for line in lines)
    assert words.encode() not in stream.getvalue()


@pytest.mark.usefixtures("hooks")
def test_what_libraries_say_becomes_a_line_without_an_exceptions_words() -> None:
    stream, words = io.BytesIO(), "the user's words"
    log = LogWriter(stream, now=lambda: NOW)
    take_over(log)
    try:
        raise ValueError(words)
    except ValueError:
        logging.getLogger("some.library").exception("Exception in %s\nfuture: " + words, words)
    logging.getLogger("some.library").info("not worth a line")
    log.close()
    (line,) = [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]
    assert (line["event"], line["level"], line["logger"]) == ("library", "error", "some.library")
    assert line["type"] == "ValueError"
    assert "test_logs.py" in line["where"]
    assert line["message"] == "Exception in %s"
    assert words.encode() not in stream.getvalue()
