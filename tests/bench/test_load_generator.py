"""The load generator against servers that are broken on purpose: each kind of break is counted as that."""

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import load_generator as load
from bench.load_generator import Ask, Broken, Window

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None, reason="SKIPPED: gcc is not installed (Debian: apt-get install gcc libc6-dev)"
)
WORDS = 20
TEXT = "".join(f"word{number:05} " for number in range(WORDS))
BODY = f'{{"content":"{TEXT}","stop":"end_turn"}}'.encode()
SHORT = Window(0.2, connections=2, patience=2.0)


def by_length(body: bytes, status: str = "200 OK", extra: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{extra}\r\n".encode() + body


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end


@contextmanager
def serving(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port on which every request, read up to its body's end, is answered; then the connection's next one is read."""
    stopped = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def connection(client: socket.socket) -> None:
        with client, client.makefile("rb") as lines:
            while lines.readline() and not stopped.is_set():
                length = 0
                while (line := lines.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line[15:])
                lines.read(length)
                try:
                    if answer(client) is False:
                        return
                except OSError:
                    return

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=connection, args=(client,), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stopped.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(10)


def saying(data: bytes, *, closes: bool) -> Callable[[socket.socket], object]:
    def answer(client: socket.socket) -> bool:
        client.sendall(data)
        return not closes

    return answer


@pytest.fixture
def asked(tmp_path: Path) -> Callable[..., load.Seen]:
    body = tmp_path / "body"
    body.write_bytes(b'{"stream":false}')

    def once(port: int, window: Window = SHORT, mark: str = "end_turn") -> load.Seen:
        ask = Ask("/v1/messages", [body], ("x-api-key: k",), mark)
        return load.once(port, ask, window, core=0, home=tmp_path / "home", sanitized=True)

    return once


@dataclass(frozen=True)
class Case:
    name: str
    answer: bytes
    verdict: str
    closes: bool = True


WORDLESS = BODY.replace(b"word00007 ", b"")
SWAPPED = BODY.replace(b"word00007 word00008", b"word00008 word00007")
CASES = [
    Case("a short body", by_length(BODY)[:-1], "cut"),
    Case("a head that ends in the middle", by_length(BODY)[:20], "cut"),
    Case("nothing at all", b"", "cut"),
    Case("another status", by_length(BODY, "529 Overloaded"), "status", closes=False),
    Case("a word is missing", by_length(WORDLESS), "words", closes=False),
    Case("words in another order", by_length(SWAPPED), "words", closes=False),
    Case("a word twice", by_length(BODY.replace(b"word00007 ", b"word00007 word00007 ")), "words", closes=False),
    Case("a word too many", by_length(BODY.replace(b'","stop', b'word00020 ","stop')), "words", closes=False),
    Case("no mark", by_length(BODY.replace(b"end_turn", b"end_tur")), "mark", closes=False),
    Case("a truncated chunk", chunked(BODY, end=b"40\r\nabc"), "cut"),
    Case("no last chunk", chunked(BODY, end=b""), "cut"),
    Case("no end after the last chunk", chunked(BODY, end=b"0\r\n"), "cut"),
    Case("a chunk of no number", chunked(BODY, end=b"xyz\r\n"), "framing"),
    Case("a chunk longer than it says", chunked(BODY).replace(b"\r\n0\r\n", b"!\r\n0\r\n"), "framing"),
    Case("a length of no number", by_length(BODY).replace(b"content-length: ", b"content-length: -"), "framing"),
    Case("no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "framing"),
    Case("bytes after the end", by_length(BODY) + b"!", "framing"),
    Case("a coding that nobody asked for", chunked(BODY).replace(b"chunked", b"gzip"), "framing"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_answer_is_counted_as_what_it_is(case: Case, asked: Callable[..., load.Seen]) -> None:
    with serving(saying(case.answer, closes=case.closes)) as port:
        seen = asked(port)
    assert seen.answers == 0
    assert seen.all == seen.all_broken > 0
    assert {verdict for verdict, count in seen.broken.items() if count} == {case.verdict}
    assert seen.example is not None
    assert seen.example.verdict == case.verdict


WHOLE = [
    Case("by length", by_length(BODY), "", closes=False),
    Case("by length, closed with a word", by_length(BODY, extra="connection: close\r\n"), ""),
    Case("in one chunk", chunked(BODY), "", closes=False),
    Case("a byte a chunk", chunked(*(BODY[at : at + 1] for at in range(len(BODY)))), "", closes=False),
    Case("with an extension and a trailer", chunked(BODY, end=b"0;x=y\r\nx-sum: 1\r\n\r\n"), "", closes=False),
    Case("to the connection's end", b"HTTP/1.1 200 OK\r\n\r\n" + BODY, ""),
    Case("after another head", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + by_length(BODY), "", closes=False),
]


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_a_whole_answer_is_whole_however_it_is_framed(case: Case, asked: Callable[..., load.Seen]) -> None:
    with serving(saying(case.answer, closes=case.closes)) as port:
        seen = asked(port)
    assert seen.answers > 0
    assert (seen.all_broken, seen.unfinished, seen.example) == (0, 0, None)
    assert seen.latency.count == seen.answers
    assert bool(seen.reconnected) is case.closes


def test_an_answer_in_single_bytes_is_whole(asked: Callable[..., load.Seen]) -> None:
    def dripping(client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in chunked(BODY):
            client.sendall(bytes([byte]))

    with serving(dripping) as port:
        seen = asked(port, Window(0.3, patience=10.0))
    assert (seen.all_broken, seen.unfinished) == (0, 0)
    assert seen.all > 0


def test_a_connection_that_was_closed_between_two_answers_is_opened_again(asked: Callable[..., load.Seen]) -> None:
    with serving(saying(by_length(BODY), closes=True)) as port:
        seen = asked(port)
    assert seen.all_broken == 0
    assert seen.answers > 1
    assert seen.reconnected > 0


def test_who_never_answers_is_not_waited_for_for_ever(asked: Callable[..., load.Seen]) -> None:
    with serving(lambda _: None) as port:
        seen = asked(port, Window(0.1, connections=3, patience=0.1))
    assert (seen.all, seen.unfinished) == (0, 3)


def test_a_window_waits_for_the_answers_that_it_needs(asked: Callable[..., load.Seen]) -> None:
    release = threading.Semaphore(0)

    def late(client: socket.socket) -> None:
        release.acquire(timeout=10)
        client.sendall(by_length(BODY))

    threading.Timer(0.3, lambda: release.release(1000)).start()
    with serving(late) as port:
        seen = asked(port, Window(0.05, least=5, longest=10.0, patience=5.0))
    assert seen.answers >= 5


def test_a_run_with_a_broken_answer_is_never_a_figure(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"{}")
    ask = Ask("/", [tmp_path / "body"], mark="end_turn")
    with (
        serving(saying(by_length(b'{"error":"no \x01"}', "500 Oh"), closes=False)) as port,
        pytest.raises(Broken, match=r"status, 500: {\"error\":\"no \x01\"}"),
    ):
        load.run(port, ask, SHORT, core=0, home=tmp_path)
    with pytest.raises(RuntimeError, match="nobody listens"):
        load.run(port, ask, SHORT, core=0, home=tmp_path)


@pytest.mark.parametrize(("mark", "word"), [("abca", "--mark"), ("", "PORT")])
def test_what_cannot_be_meant_is_refused(tmp_path: Path, mark: str, word: str) -> None:
    (tmp_path / "body").write_bytes(b"{}")
    ask = Ask("/", [tmp_path / "body"], mark=mark)
    with pytest.raises(RuntimeError, match=word):
        load.run(0 if not mark else 1, ask, SHORT, core=0, home=tmp_path)
