"""The bench's own programs, against each other: what is counted as whole, and what as broken."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import bodies, children, clients, mock, traffic
from bench.children import Cores


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"0\r\n\r\n", b""),
        (b"3\r\nabc\r\n", None),
        (b"5\r\n0\r\n\r\n", None),
        (b"a\r\nabc", None),
    ],
)
def test_a_chunked_body_is_whole_or_not(data: bytes, body: bytes | None) -> None:
    assert clients.unchunked(data) == body


def test_both_programs_count_the_same_words() -> None:
    assert clients.WORDS == mock.WORDS
    for chunks in mock.ANSWERS.values():
        assert b"".join(chunks).count(b"word") == mock.WORDS


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    home = tmp_path_factory.mktemp("bench")
    core = Cores.available().around
    with (
        children.program("mock", core=core, home=home) as provider,
        children.program("floor", f"http://127.0.0.1:{provider.port}", core=core, home=home) as passing,
    ):
        yield passing.port


@pytest.mark.parametrize("stream", [False, True])
def test_answers_are_whole_through_the_floor(floor: int, tmp_path: Path, stream: bool) -> None:
    body = tmp_path / "body"
    body.write_bytes(bodies.small(stream=stream))
    seen = traffic.measured(floor, body, 2, 0.5, Cores.available())
    assert seen.rate > 0
    assert 0 < seen.p50 <= seen.p99


def test_a_broken_answer_is_never_a_figure(tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(bodies.small())
    core = Cores.available().around
    with (
        children.program("floor", "http://127.0.0.1:1", core=core, home=tmp_path) as nobody,
        pytest.raises(RuntimeError, match="broken"),
    ):
        traffic.measured(nobody.port, body, 1, 0.5, Cores.available())
