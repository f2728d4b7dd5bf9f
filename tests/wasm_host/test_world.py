"""What one call sees and says, against a memory that is a bytearray."""

import pytest
from wasm_modules import ByteMemory as Memory

from wasm_host import abi
from wasm_host.guest import Fault, Prepared
from wasm_host.world import World, world_for
from wasm_host.world import log as host_log


def world(*, command: bool = False, request: bytes = b"") -> World:
    return World(request, 1_763_800_000_123, 42, command=command)


def log(outside: World, memory: Memory, level: int, pointer: int, length: int, fuel: int = 1_000_000) -> None:
    assert outside.invoke(host_log, memory, fuel, (level, pointer, length)) == 0


@pytest.mark.parametrize(("pointer", "length"), [(abi.PAGE, 1), (2**32 - 1, 1), (0, 2**32 - 1), (abi.PAGE - 1, 2)])
def test_what_cannot_be_read_is_not_logged(pointer: int, length: int) -> None:
    outside = world()
    log(outside, Memory(), 2, pointer, length)
    assert (outside.log(), outside.end) == ("", None)


def test_a_log_line_is_cleaned_and_a_level_named() -> None:
    outside = world()
    for level in (0, 4, 5, 2**32 - 1):
        log(outside, Memory(b"a\nb\xff"), level, 0, 4)
    assert outside.log() == "trace: a b\ufffd\nerror: a b\ufffd\ninfo: a b\ufffd\ninfo: a b\ufffd"


def test_a_host_call_is_charged_with_what_it_reads() -> None:
    outside = world()
    log(outside, Memory(), 2, 0, 100, fuel=10_000)
    assert outside.fuel == 10_000 - abi.HOST_CALL - 100
    log(outside, Memory(), 2, 0, abi.PAGE, fuel=10_000)
    assert outside.fuel == 10_000 - abi.HOST_CALL - (abi.LOG - 107)


@pytest.mark.parametrize("fuel", [0, abi.HOST_CALL - 1, abi.HOST_CALL + 9])
def test_who_cannot_pay_ends(fuel: int) -> None:
    outside = world()
    log(outside, Memory(), 2, 0, 10, fuel=fuel)
    assert isinstance(outside.end, Fault)
    assert (outside.end.code, outside.fuel, outside.log()) == ("fuel", 0, "")


def test_a_host_that_fails_ends_the_call_alone() -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError

    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    outside = world()
    assert outside.invoke(broken, Memory(), 10_000, ()) == 0
    assert isinstance(outside.end, Fault)
    assert (outside.end.code, outside.end.message) == ("crash", "the host failed: ZeroDivisionError")
    assert outside.invoke(interrupted, Memory(), 10_000, ()) == 0
    assert isinstance(outside.end, KeyboardInterrupt)


def test_a_stream_is_logged_by_lines() -> None:
    outside = world()
    for piece in (b"one\ntw", b"o\n", b"\nthree"):
        outside.write("warn", piece)
    outside.write("info", b"other")
    assert outside.log() == "warn: one\nwarn: two\nwarn: \nwarn: three\ninfo: other"
    assert outside.log() == "warn: one\nwarn: two\nwarn: \nwarn: three\ninfo: other"


@pytest.mark.parametrize("piece", [b"x" * 5000, b"x" * 100, b"x\n" * 3000, b"\n"])
def test_a_stream_is_logged_as_far_as_there_is_room(piece: bytes) -> None:
    outside = world()
    for _ in range(3000):
        outside.write("info", piece)
        assert sum(map(len, outside._begun.values())) <= abi.LOG
    assert abi.LOG - 8 <= len(outside.log()) <= abi.LOG


def test_input_ends() -> None:
    outside = world(command=True, request=b"12345")
    assert [outside.input(2), outside.input(0), outside.input(9), outside.input(9)] == [b"12", b"", b"345", b""]


def test_output_of_the_largest_size_and_one_byte_more() -> None:
    outside = world(command=True)
    outside.output(b"x" * (abi.ANSWER - 1))
    outside.output(b"x")
    with pytest.raises(Fault, match="wrote more than 16384 bytes"):
        outside.output(b"x")
    assert len(outside.answer) == abi.ANSWER


def test_randomness_is_the_requests() -> None:
    """Two worlds of one seed draw the same, of another seed other bytes, and no draw repeats."""
    draws = [[outside.random(8) for _ in range(3)] for outside in (world(), world(), World(b"", 0, 43, command=False))]
    assert draws[0] == draws[1]
    assert len({*draws[0], *draws[2]}) == 6


@pytest.mark.parametrize(
    ("pure", "exports", "asked"),
    [(False, {abi.ALLOC, abi.ROUTE}, b""), (False, {abi.START}, b"asked"), (False, {abi.START, abi.ROUTE}, b"")],
)
def test_only_a_command_reads_the_request(pure: bool, exports: set[str], asked: bytes) -> None:
    outside = world_for(Prepared(None, frozenset(exports), pure=pure), b"asked", 5, 6)
    assert outside is not None
    assert (outside.request, outside.command, outside.now_ms, outside.seed) == (asked, bool(asked), 5, 6)


def test_who_imports_nothing_has_no_world() -> None:
    assert world_for(Prepared(None, frozenset({abi.ROUTE}), pure=True), b"asked", 5, 6) is None
