"""What a guest may ask of the world, against a memory that is a bytearray."""

import pytest

from wasm_host import abi
from wasm_host.guest import Fault, OutOfBounds
from wasm_host.wasi import FUNCTIONS, World


class Memory:
    def __init__(self, data: bytes = b"", size: int = abi.PAGE) -> None:
        self.data = bytearray(data.ljust(size, b"\0"))

    def check(self, pointer: int, length: int) -> None:
        if pointer + length > len(self.data):
            raise OutOfBounds(pointer, length, len(self.data))

    def read(self, pointer: int, length: int) -> bytes:
        self.check(pointer, length)
        return bytes(self.data[pointer : pointer + length])

    def write(self, pointer: int, data: bytes) -> None:
        self.check(pointer, len(data))
        self.data[pointer : pointer + len(data)] = data


def world(*, command: bool = False, request: bytes = b"") -> World:
    return World(request, 1_763_800_000_123, 42, command=command)


def log(outside: World, memory: Memory, level: int, pointer: int, length: int, fuel: int = 1_000_000) -> None:
    assert outside.invoke(FUNCTIONS["terraphim", "log"], memory, fuel, (level, pointer, length)) == 0


def test_every_import_of_the_contract_is_answered() -> None:
    assert FUNCTIONS.keys() == abi.ALLOWED_IMPORTS.keys()


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
