"""Messages on a stream, cut anywhere."""

import pytest

from wasm_host import abi
from wasm_host.frames import (
    HEAD,
    Ask,
    Call,
    Keep,
    Load,
    Ready,
    Result,
    Said,
    Splitter,
    TooLong,
    from_worker,
    pack,
    sane,
    to_worker,
)

CALL = Call("ab" * 32, 0, 10, 20, 30, 1)
DOWN = [Load("ab" * 32, b"\0code", 65536), Keep(["ab" * 32]), Ask(7, [b"{}", b'{"a":1}'], 1, 2, [CALL, CALL])]
UP = [Ready({"seccomp": "on"}, "native"), Said(7, [Result(), Result("trap", "why", b"", 5, 1, 9, "log é")])]


@pytest.mark.parametrize("message", DOWN, ids=lambda message: type(message).__name__)
def test_to_a_worker(message: Load | Keep | Ask) -> None:
    assert to_worker(pack(message)[HEAD:]) == message


@pytest.mark.parametrize("message", UP, ids=lambda message: type(message).__name__)
def test_from_a_worker(message: Ready | Said) -> None:
    assert from_worker(pack(message)[HEAD:]) == message


def test_a_stream_is_cut_into_the_same_messages_however_it_arrives() -> None:
    stream = b"".join(map(pack, DOWN))
    whole = [pack(message)[HEAD:] for message in DOWN]
    assert Splitter(1000).feed(stream) == whole
    splitter = Splitter(1000)
    assert [body for byte in stream for body in splitter.feed(bytes([byte]))] == whole
    for cut in range(len(stream) + 1):
        splitter = Splitter(1000)
        assert splitter.feed(stream[:cut]) + splitter.feed(memoryview(stream)[cut:]) == whole


def test_an_announced_length_over_the_limit_is_refused_before_it_arrives() -> None:
    splitter = Splitter(10)
    assert splitter.feed((10).to_bytes(HEAD, "little")) == []
    with pytest.raises(TooLong, match="11 bytes, the limit is 10"):
        Splitter(10).feed((11).to_bytes(HEAD, "little"))


def test_an_empty_message_is_a_message() -> None:
    assert Splitter(10).feed(bytes(HEAD)) == [b""]


def test_what_an_honest_worker_says_is_sane() -> None:
    honest = [Result(), Result("timeout", "ran longer than its limit"), Result("", "", b"x" * abi.ANSWER, 9, 9, 9, "l")]
    assert all(map(sane, honest))


@pytest.mark.parametrize(
    "result",
    [
        Result("skipped", "breaker: the user's words"),
        Result("made_up"),
        Result("route"),
        Result(fuel=-1),
        Result(pages=-1),
        Result(micros=-1),
        Result(answer=b"x" * (abi.ANSWER + 1)),
        Result(log="x" * (abi.LOG + 1)),
        Result("trap", "x" * 100_000),
    ],
)
def test_what_it_never_says_is_not(result: Result) -> None:
    assert not sane(result)
