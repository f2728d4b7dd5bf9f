"""Each function of preview 1, as a guest would call it: errno, and what is in its memory afterwards."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasm_modules import ByteMemory, patient

from wasm_host import abi, wasi
from wasm_host.guest import Exited, Fault
from wasm_host.wasi import BADF, FAULT, INVAL, NOSYS, SUCCESS
from wasm_host.world import World

NOW_MS = 1_763_800_000_123
FUEL = 10_000_000


def outside(request: bytes = b"", *, command: bool = False) -> World:
    return World(request, NOW_MS, 42, command=command)


def ask(world: World, memory: ByteMemory, name: str, *args: int) -> int:
    return world.invoke(wasi.ANSWERS[abi.WASI, name], memory, FUEL, args)


def vectors(*pairs: tuple[int, int]) -> ByteMemory:
    """A memory with buffers' pointers and lengths at 0, and text at 100."""
    table = b"".join(struct.pack("<II", *pair) for pair in pairs)
    return ByteMemory(table.ljust(100, b"\0") + b"hello, world")


def test_every_import_of_the_contract_is_answered() -> None:
    assert wasi.ANSWERS.keys() == abi.IMPORTS.keys()
    assert len(abi.WASI_IMPORTS) == 46


def test_the_types_are_those_of_the_specification() -> None:
    """Some that are easily taken for another."""
    types = {name: str(signature) for name, signature in abi.WASI_IMPORTS.items()}
    assert types["fd_seek"] == "(i32, i64, i32, i32) -> (i32)"
    assert types["fd_pread"] == "(i32, i32, i32, i64, i32) -> (i32)"
    assert types["path_open"] == "(i32, i32, i32, i32, i32, i64, i64, i32, i32) -> (i32)"
    assert types["path_filestat_set_times"] == "(i32, i32, i32, i32, i64, i64, i32) -> (i32)"
    assert types["clock_time_get"] == "(i32, i64, i32) -> (i32)"
    assert types["proc_exit"] == "(i32) -> ()"
    assert types["sched_yield"] == "() -> (i32)"


@pytest.mark.parametrize("name", ["args", "environ"])
def test_there_are_no_arguments_and_no_environment(name: str) -> None:
    memory = ByteMemory(b"\xff" * 16)
    assert ask(outside(), memory, f"{name}_sizes_get", 0, 8) == SUCCESS
    assert memory.read(0, 16) == bytes(4) + b"\xff" * 4 + bytes(4) + b"\xff" * 4
    assert ask(outside(), memory, f"{name}_get", 0, 8) == SUCCESS


@pytest.mark.parametrize("clock", range(4))
def test_every_clock_stands_at_the_requests_time(clock: int) -> None:
    memory = ByteMemory()
    assert ask(outside(), memory, "clock_time_get", clock, 1, 8) == SUCCESS
    assert int.from_bytes(memory.read(8, 8), "little") == NOW_MS * 1_000_000
    assert ask(outside(), memory, "clock_res_get", clock, 16) == SUCCESS
    assert int.from_bytes(memory.read(16, 8), "little") == 1_000_000


@pytest.mark.parametrize(
    ("name", "args"), [("clock_time_get", (4, 0, 8)), ("clock_res_get", (4, 8)), ("clock_res_get", (2**32 - 1, 8))]
)
def test_there_is_no_other_clock(name: str, args: tuple[int, ...]) -> None:
    memory = ByteMemory()
    assert ask(outside(), memory, name, *args) == INVAL
    assert not any(memory.data)


def test_randomness_is_written_and_costs_more_than_a_copy() -> None:
    memory, world = ByteMemory(), outside()
    assert ask(world, memory, "random_get", 4, 8) == SUCCESS
    assert memory.read(4, 8) == outside().random(8)
    assert not any(memory.read(0, 4) + memory.read(12, 100))
    assert world.fuel == FUEL - abi.HOST_CALL - 8 * wasi.RANDOM_BYTE


@pytest.mark.parametrize(("descriptor", "rights"), [(0, 2), (1, 64), (2, 64)])
def test_the_three_descriptors_are_pipes_with_one_right(descriptor: int, rights: int) -> None:
    memory = ByteMemory(b"\xff" * 32)
    assert ask(outside(), memory, "fd_fdstat_get", descriptor, 0) == SUCCESS
    assert memory.read(0, 32) == bytes(8) + rights.to_bytes(8, "little") + bytes(8) + b"\xff" * 8


def test_a_reactors_output_is_its_log() -> None:
    world, memory = outside(), vectors((100, 5), (105, 7))
    assert ask(world, memory, "fd_write", 1, 0, 2, 50) == SUCCESS
    assert ask(world, memory, "fd_write", 2, 0, 1, 54) == SUCCESS
    assert struct.unpack("<II", memory.read(50, 8)) == (12, 5)
    assert world.log() == "info: hello, world\nwarn: hello"
    assert world.answer == b""


def test_a_commands_output_is_its_answer() -> None:
    world, memory = outside(command=True), vectors((100, 5), (105, 7))
    assert ask(world, memory, "fd_write", 1, 0, 2, 50) == SUCCESS
    assert ask(world, memory, "fd_write", 2, 0, 1, 50) == SUCCESS
    assert (bytes(world.answer), world.log()) == (b"hello, world", "warn: hello")


def test_a_write_is_charged_by_calls_buffers_and_bytes() -> None:
    world = outside()
    ask(world, vectors((100, 5), (105, 7)), "fd_write", 2, 0, 2, 50)
    assert world.fuel == FUEL - 3 * abi.HOST_CALL - 12


def test_who_writes_much_pays_for_all_of_it() -> None:
    world = outside()
    ask(world, vectors(*[(0, abi.PAGE)] * 10), "fd_write", 2, 0, 10, 200)
    assert world.fuel == FUEL - 11 * abi.HOST_CALL - 10 * abi.PAGE


def test_a_command_that_says_too_much_ends() -> None:
    world = outside(command=True)
    ask(world, vectors((100, abi.ANSWER), (100, 1)), "fd_write", 1, 0, 2, 50)
    assert isinstance(world.end, Fault)
    assert (world.end.code, len(world.answer)) == ("refused", abi.ANSWER)


def test_a_command_reads_what_it_is_asked() -> None:
    world, memory = outside(b"0123456789", command=True), vectors((200, 4), (300, 3))
    read = [(ask(world, memory, "fd_read", 0, 0, 2, 50), *struct.unpack("<I", memory.read(50, 4))) for _ in range(3)]
    assert read == [(SUCCESS, 7), (SUCCESS, 3), (SUCCESS, 0)]
    assert (memory.read(200, 4), memory.read(300, 3)) == (b"7893", b"456")


def test_what_could_not_be_told_was_not_read() -> None:
    world, memory = outside(b"0123", command=True), vectors((200, 4), (abi.PAGE - 1, 2))
    assert ask(world, memory, "fd_read", 0, 0, 1, abi.PAGE - 3) == FAULT
    assert ask(world, memory, "fd_read", 0, 0, 2, 50) == FAULT
    assert memory.read(200, 4) == bytes(4)
    assert ask(world, memory, "fd_read", 0, 0, 1, 50) == SUCCESS
    assert memory.read(200, 4) == b"0123"


def test_what_cannot_be_read_whole_is_not_written() -> None:
    world = outside()
    assert ask(world, vectors((100, 5), (abi.PAGE - 1, 2)), "fd_write", 2, 0, 2, 50) == FAULT
    assert ask(world, vectors((100, 5)), "fd_write", 2, 0, 1, abi.PAGE - 3) == FAULT
    assert (world.log(), world.fuel) == ("", FUEL - 2 * abi.HOST_CALL - 5)


def test_a_program_ends_with_its_status() -> None:
    for status in (0, 1, 2**32 - 1):
        world = outside()
        ask(world, ByteMemory(), "proc_exit", status)
        assert isinstance(world.end, Exited)
        assert world.end.status == status


def test_closing_succeeds_for_what_is_open() -> None:
    closed = [ask(outside(), ByteMemory(), "fd_close", descriptor) for descriptor in (0, 1, 2, 3, 2**32 - 1)]
    assert closed == [SUCCESS, SUCCESS, SUCCESS, BADF, BADF]


@pytest.mark.parametrize(("name", "descriptor"), [("fd_write", 0), ("fd_write", 3), ("fd_read", 1), ("fd_read", 3)])
def test_the_wrong_descriptor(name: str, descriptor: int) -> None:
    assert ask(outside(b"x"), vectors((100, 1)), name, descriptor, 0, 1, 50) == BADF


@pytest.mark.parametrize("name", ["fd_write", "fd_read"])
def test_too_many_buffers(name: str) -> None:
    descriptor = 2 if name == "fd_write" else 0
    most = wasi.VECTORS
    memory = ByteMemory(size=2 * abi.PAGE)
    assert ask(outside(), memory, name, descriptor, 0, most + 1, 50) == INVAL
    assert ask(outside(), memory, name, descriptor, 0, most, 50) == SUCCESS
    assert ask(outside(), memory, name, descriptor, 0, 2**32 - 1, 50) == INVAL


ANSWERED = frozenset(wasi._ANSWERED)
REST = sorted(abi.WASI_IMPORTS.keys() - ANSWERED)


@pytest.mark.parametrize("name", REST)
def test_the_rest_is_no_descriptor_or_no_such_function(name: str) -> None:
    count = len(abi.WASI_IMPORTS[name].params)
    family = name.partition("_")[0]
    for descriptor, fd in ((0, NOSYS), (2, NOSYS), (3, BADF), (2**32 - 1, BADF)):
        expected = {"fd": fd, "path": BADF, "sock": BADF}.get(family, NOSYS)
        assert ask(outside(), ByteMemory(), name, *[descriptor] * count) == expected


def test_no_folder_is_open() -> None:
    for descriptor in range(5):
        assert ask(outside(), ByteMemory(), "fd_prestat_get", descriptor, 8) == BADF


@patient
@given(st.data())
def test_no_argument_makes_the_host_fail(data: st.DataObject) -> None:
    """Whatever a guest passes: an errno of the list, or an end that the contract knows."""
    name = data.draw(st.sampled_from(sorted(abi.WASI_IMPORTS)))
    edges = st.sampled_from([0, 1, 2, 3, 8, abi.PAGE - 4, abi.PAGE - 1, abi.PAGE, 2**31, 2**32 - 1])
    world = outside(b"request", command=data.draw(st.booleans()))
    memory = vectors((100, 5), (abi.PAGE - 1, 1), (abi.PAGE - 1, 2))
    args = [
        data.draw(edges | st.integers(0, 2**32 - 1 if kind == "i32" else 2**64 - 1))
        for kind in abi.WASI_IMPORTS[name].params
    ]
    errno = ask(world, memory, name, *args)
    assert errno in {SUCCESS, BADF, FAULT, INVAL, NOSYS}
    assert len(memory.data) == abi.PAGE
    assert world.end is None or (isinstance(world.end, Fault) and world.end.code in {"fuel", "refused", "error"})
    assert 0 <= world.fuel <= FUEL - abi.HOST_CALL
