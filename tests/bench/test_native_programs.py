"""The mock and the histogram: what they say is what they were asked for."""

import json
import random
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench import bodies, children, native_programs
from bench import load_generator as load
from bench.children import Cores
from bench.load_generator import Ask, Window
from bench.stats import percentile

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None, reason="SKIPPED: gcc is not installed (Debian: apt-get install gcc libc6-dev)"
)
CORE = Cores.available().around


@pytest.fixture(scope="module")
def mock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with children.native("mock", core=CORE, home=tmp_path_factory.mktemp("mock"), sanitized=True) as server:
        yield server.port
        assert server.process.poll() is None


class Answer(NamedTuple):
    status: int
    kind: str | None
    body: bytes


def asked(port: int, path: str, body: bytes | list[bytes]) -> Answer:
    """A list is sent in chunks."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        headers = {"transfer-encoding": "chunked"} if isinstance(body, list) else {}
        connection.request("POST", path, body, headers, encode_chunked=isinstance(body, list))
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers["content-type"], answer.read())


@contextmanager
def streaming(port: int) -> Iterator[socket.socket]:
    """A stream whose first word has come."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b'POST /v1/messages HTTP/1.1\r\ncontent-length: 15\r\n\r\n{"stream":true}')
        assert b"word00000@" in client.recv(65536)
        yield client


def get(port: int, path: str) -> tuple[int, Any]:
    status, body = children.request(port, "GET", path)
    return status, json.loads(body)


@pytest.fixture
def ask(tmp_path: Path) -> Callable[[str, bool], Ask]:
    def made(dialect: str, stream: bool) -> Ask:
        body = tmp_path / "body"
        body.write_bytes(bodies.small(stream=stream))
        path = "/v1/messages" if dialect == "anthropic" else "/v1/chat/completions"
        return Ask(path, [body], (), load.MARKS[dialect, stream])

    return made


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
def test_every_answer_is_whole(
    mock: int, tmp_path: Path, ask: Callable[[str, bool], Ask], dialect: str, stream: bool
) -> None:
    window = Window(0.3, connections=4, warm=0.1)
    seen = load.once(mock, ask(dialect, stream), window, core=CORE, home=tmp_path, sanitized=True)
    assert seen.answers > 0
    assert (seen.all_broken, seen.unfinished, seen.reconnected) == (0, 0, 0)
    assert seen.all >= seen.answers == seen.latency.count
    assert 0 < seen.first_byte.p50 <= seen.first_word.p50 <= seen.latency.p50 <= seen.latency.p99 <= seen.latency.max
    assert bool(seen.delay.count) is stream


def test_a_stream_has_the_words_and_stamps_that_were_asked_for(
    mock: int, tmp_path: Path, ask: Callable[[str, bool], Ask]
) -> None:
    assert get(mock, "/pace/7/20000") == (200, {})
    one = ask("anthropic", True)
    try:
        asks = Ask(one.path, one.bodies, (), one.mark, words=7)
        seen = load.once(mock, asks, Window(0.5, 5, stagger=0.02), core=CORE, home=tmp_path, sanitized=True)
    finally:
        children.until(lambda: get(mock, "/pace/20/0")[0] == 200)
    assert (seen.all_broken, seen.unfinished) == (0, 0)
    assert seen.delay.count > seen.answers
    assert 0 < seen.delay.p50 < 10e6


def test_the_pace_stays_while_a_stream_goes_on(mock: int) -> None:
    assert get(mock, "/pace/3/100000")[0] == 200
    with streaming(mock) as client:
        assert get(mock, "/pace/20/0")[0] == 409
        while not (data := client.recv(65536)).endswith(b"0\r\n\r\n"):
            assert data
    assert get(mock, "/pace/20/0")[0] == 200
    assert get(mock, "/pace/0/0")[0] == 400


def test_a_client_that_leaves_its_stream_is_forgotten(mock: int) -> None:
    assert get(mock, "/pace/99999/1000")[0] == 200
    before = get(mock, "/stats")[1]["open"]
    with streaming(mock):
        assert get(mock, "/stats")[1]["streaming"] == 1
    children.until(lambda: get(mock, "/stats")[1]["streaming"] == 0)
    assert get(mock, "/stats")[1]["open"] == before
    assert get(mock, "/pace/20/0")[0] == 200


FILLER = b'"messages":[{"role":"user","content":"' + b"x" * 300_000 + b'"}]'


@pytest.mark.parametrize(
    ("body", "streamed"),
    [
        (b'{"stream":true}', True),
        (b'{"stream": true}', True),
        (b'{"stream" : true}', True),
        (b'{"stream":false}', False),
        (b"{}", False),
        (b'{"stream":null}', False),
        (b"{" + FILLER + b',"stream":true}', True),
        (b'{"stream":true,' + FILLER + b"}", True),
        (b'{"x":"\\"stream\\":true"}', False),
        (b'{"properties":{"stream":{"type":"boolean"}},"stream":true}', True),
        (b'{"properties":{"stream":{"type":"boolean"}}}', False),
    ],
    ids=range(11),
)
def test_a_stream_is_what_the_body_wants(mock: int, body: bytes, streamed: bool) -> None:
    kinds = {asked(mock, "/v1/messages", sent).kind for sent in (body, [body[:5], body[5:]])}
    assert kinds == {"text/event-stream" if streamed else "application/json"}


@pytest.mark.parametrize("cut", range(1, len(b'{"stream":true}')))
def test_the_key_may_lie_across_two_reads(mock: int, cut: int) -> None:
    body = b'{"stream":true}'
    assert asked(mock, "/v1/messages", [body[:cut], body[cut:]]).kind == "text/event-stream"
    pieces = [body[at : at + 1] for at in range(len(body))]
    assert asked(mock, "/v1/messages", pieces).kind == "text/event-stream"


def test_answers_are_what_the_dialects_say(mock: int) -> None:
    message = json.loads(asked(mock, "/v1/messages", b"{}").body)
    completion = json.loads(asked(mock, "/v1/chat/completions", b"{}").body)
    assert message["content"][0]["text"] == completion["choices"][0]["message"]["content"]
    assert message["content"][0]["text"].split() == [f"word{number:05}" for number in range(load.WORDS)]
    assert (message["stop_reason"], completion["choices"][0]["finish_reason"]) == ("end_turn", "stop")


def test_what_nobody_should_ask_is_refused(mock: int) -> None:
    assert asked(mock, "/v1/embeddings", b"{}").status == 404
    assert get(mock, "/v1/models")[1]["data"][0]["id"] == "mock"
    with socket.create_connection(("127.0.0.1", mock), timeout=10) as client:
        client.sendall(b"POST /v1/messages HTTP/1.1\r\ncontent-length: x\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 400 ")
        assert client.recv(65536) == b""


def test_requests_and_bytes_are_counted(mock: int) -> None:
    before = get(mock, "/stats")[1]
    asked(mock, "/v1/messages", b"{}")
    asked(mock, "/v1/messages", b'{"stream":true}')
    after = get(mock, "/stats")[1]
    assert [after[name] - before[name] for name in ("requests", "streams", "body_bytes", "refused")] == [2, 1, 17, 0]


@pytest.mark.parametrize(
    "make",
    [
        lambda chance: chance.lognormvariate(11, 2),
        lambda chance: chance.uniform(0, 300),
        lambda chance: chance.choice([1e3, 1e6, 1e9, 1e12]),
    ],
    ids=["lognormal", "small", "far apart"],
)
def test_percentiles_are_right_within_a_hundredth(make: Callable[[random.Random], float]) -> None:
    chance = random.Random(9)  # noqa: S311 - samples, no secrets
    samples = [int(make(chance)) for _ in range(5000)]
    said = percentiles(samples)
    for name in ("p50", "p90", "p99"):
        exact = percentile(samples, float(name[1:]))
        assert said[name] * 1000 == pytest.approx(exact, rel=0.01, abs=1), name  # printed in steps of a nanosecond
    assert said["max"] * 1000 == max(samples)
    assert said["mean"] * 1000 == pytest.approx(sum(samples) / len(samples), rel=1e-6, abs=1)


@pytest.mark.parametrize("samples", [[], [0], [7], [2**41], [1, 2**63]])
def test_percentiles_of_few(samples: list[int]) -> None:
    said = percentiles(samples)
    assert said["count"] == len(samples)
    assert said["max"] * 1000 == pytest.approx(max(samples, default=0))
    assert said["p99"] == said["max"]


def percentiles(samples: list[int]) -> dict[str, float]:
    program = str(native_programs.program("percentiles", sanitized=True))
    text = "\n".join(map(str, samples))
    done = subprocess.run([program], input=text, capture_output=True, text=True, check=True, timeout=10)
    said: dict[str, float] = json.loads(done.stdout)["all"]
    return said


def test_a_program_is_made_once_and_names_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert native_programs.program("mock") == native_programs.program("mock")
    monkeypatch.setattr(native_programs, "FOLDER", tmp_path)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(native_programs.NoCompiler, match="apt-get install gcc"):
        native_programs.program("mock")


def test_sources_are_small() -> None:
    for source in [*native_programs.HERE.glob("*.c"), *native_programs.HERE.glob("*.h")]:
        lines = source.read_text().splitlines()
        assert len(lines) <= 400, source
        begun = 0
        for number, line in enumerate(lines):
            if line == "{":
                begun = number
            assert line != "}" or number - begun <= 60, f"{source}:{number}"
