"""The life of a call, with an instance that does as it is told; the real ones are in test_native and test_paths."""

from collections.abc import Callable

import pytest

from wasm_host import abi
from wasm_host.guest import Exited, Fault, Instance, Limits, OutOfBounds, Prepared, describe, execute
from wasm_host.manifest import Limits as Given

REACTOR = frozenset({abi.ALLOC, abi.ROUTE})
COMMAND = frozenset({abi.START})
AT, ANSWER = 16, 600


class Scripted:
    """An instance whose exports are `calls`, and the runtime that opens it."""

    name = "scripted"

    def __init__(self, **calls: int | Fault) -> None:
        self.calls = {abi.ALLOC: AT, abi.ROUTE: ANSWER << 32 | 6, abi.DESCRIBE: 0, abi.START: 0, abi.INITIALIZE: 0}
        self.script: dict[str, int | Fault] = {**self.calls, **calls}
        self.memory = bytearray(abi.PAGE)
        self.memory[ANSWER : ANSWER + 6] = b"answer"
        self.seen: list[tuple[str, tuple[int, ...]]] = []
        self.closed = 0
        self.written = b""

    def open(self, prepared: Prepared, request: bytes, limits: Limits, now_ms: int, seed: int) -> "Scripted":
        return self

    def prepare(self, artifact: bytes, memory: int) -> Prepared:
        raise NotImplementedError

    def start(self) -> None:
        self.call("start")

    def call(self, name: str, *args: int) -> int:
        assert not self.closed
        self.seen.append((name, args))
        result = self.script.get(name, 0)
        if isinstance(result, Fault):
            raise result
        return result

    def check(self, pointer: int, length: int) -> None:
        if pointer + length > len(self.memory):
            raise OutOfBounds(pointer, length, len(self.memory))

    def read(self, pointer: int, length: int) -> bytes:
        self.check(pointer, length)
        return bytes(self.memory[pointer : pointer + length])

    def write(self, pointer: int, data: bytes) -> None:
        self.check(pointer, len(data))
        self.memory[pointer : pointer + len(data)] = data

    def fuel(self) -> int:
        assert not self.closed
        return 7

    def pages(self) -> int:
        return 1

    def log(self) -> str:
        return "said"

    def output(self) -> bytes:
        return self.written

    def close(self) -> None:
        self.closed += 1


def run(scripted: Scripted, exports: frozenset[str] = REACTOR, request: bytes = b"{}") -> tuple[bytes, Fault | None]:
    result = execute(scripted, Prepared(None, exports, pure=True), request, Given())
    assert (result.fuel, result.pages, result.log, scripted.closed) == (7, 1, "said", 1)
    return result.answer, result.fault


def test_a_reactor_is_given_the_request_and_asked() -> None:
    scripted = Scripted()
    assert run(scripted, request=b"12345") == (b"answer", None)
    assert scripted.seen == [("start", ()), (abi.ALLOC, (5,)), (abi.ROUTE, (AT, 5))]
    assert scripted.read(AT, 5) == b"12345"


def test_a_runtime_is_initialised_first() -> None:
    scripted = Scripted()
    run(scripted, REACTOR | {abi.INITIALIZE})
    assert [name for name, _ in scripted.seen] == ["start", abi.INITIALIZE, abi.ALLOC, abi.ROUTE]


def test_a_module_of_both_shapes_is_a_reactor() -> None:
    scripted = Scripted()
    run(scripted, REACTOR | COMMAND)
    assert abi.START not in dict(scripted.seen)


def test_zero_abstains() -> None:
    assert run(Scripted(rule_v1_route=0)) == (b"", None)


@pytest.mark.parametrize(
    ("calls", "code", "message"),
    [
        ({abi.ALLOC: 0}, "error", "alloc(2) returned 0: no room for the request"),
        ({abi.ALLOC: 65_535}, "refused", "rule_v1_alloc named bytes 65535 to 65537 of a memory of 65536"),
        (
            {abi.ALLOC: 0xFFFF_FFFF},
            "refused",
            "rule_v1_alloc named bytes 4294967295 to 4294967297 of a memory of 65536",
        ),
        ({abi.ROUTE: 1 << 32}, "refused", "rule_v1_route returned a pointer with length 0; return 0 to abstain"),
        ({abi.ROUTE: 16_385}, "refused", "rule_v1_route returned 16385 bytes, the limit is 16384"),
        ({abi.ROUTE: 2**64 - 1}, "refused", "rule_v1_route returned 4294967295 bytes, the limit is 16384"),
        ({abi.ROUTE: 65_535 << 32 | 2}, "refused", "rule_v1_route named bytes 65535 to 65537 of a memory of 65536"),
        ({"start": Fault("trap", "unreachable")}, "trap", "unreachable"),
        ({abi.ALLOC: Fault("fuel", "x")}, "fuel", "x"),
        ({abi.ROUTE: Exited(0)}, "error", "exited with code 0"),
    ],
)
def test_what_is_wrong_is_said(calls: dict[str, int | Fault], code: str, message: str) -> None:
    answer, fault = run(Scripted(**calls))
    assert answer == b""
    assert fault is not None
    assert (fault.code, fault.message) == (code, message)


def test_the_largest_answer_is_one() -> None:
    assert run(Scripted(rule_v1_route=1 << 32 | abi.ANSWER))[1] is None


def test_the_last_byte_of_the_memory_is_the_guests() -> None:
    assert run(Scripted(rule_v1_alloc=65_534, rule_v1_route=65_530 << 32 | 6))[1] is None


def test_a_command_answers_with_what_it_wrote() -> None:
    for end in (0, Exited(0)):
        scripted = Scripted(_start=end)
        scripted.written = b"out"
        assert run(scripted, COMMAND | {abi.INITIALIZE}) == (b"out", None)
        assert [name for name, _ in scripted.seen] == ["start", abi.START]


def test_a_command_that_fails_has_no_answer() -> None:
    scripted = Scripted(_start=Exited(3))
    scripted.written = b"out"
    answer, fault = run(scripted, COMMAND)
    assert (answer, fault and fault.message) == (b"", "exited with code 3")


def test_what_is_not_the_guests_fault_is_raised_and_the_instance_closed() -> None:
    class Broken(Scripted):
        def call(self, name: str, *args: int) -> int:
            raise KeyboardInterrupt

    for ask in (lambda broken: execute(broken, PLAIN, b"", Given()), lambda broken: describe(broken, PLAIN, Given())):
        broken = Broken()
        with pytest.raises(KeyboardInterrupt):
            ask(broken)
        assert broken.closed == 1


PLAIN = Prepared(None, REACTOR, pure=True)


def test_metadata_is_returned_like_an_answer() -> None:
    scripted = Scripted(rule_v1_describe=ANSWER << 32 | 6)
    assert describe(scripted, Prepared(None, REACTOR | {abi.DESCRIBE}, pure=True), Given()) == b"answer"
    assert scripted.closed == 1
    assert [name for name, _ in scripted.seen] == ["start", abi.DESCRIBE]


def test_no_metadata_is_empty_and_its_faults_are_raised() -> None:
    assert describe(Scripted(), PLAIN, Given()) == b""
    with pytest.raises(Fault, match="length 0"):
        describe(Scripted(rule_v1_describe=1 << 32), Prepared(None, REACTOR | {abi.DESCRIBE}, pure=True), Given())


def _protocols(instance: Instance, call: Callable[..., int]) -> tuple[Instance, Callable[..., int]]:
    """For mypy: the scripted one is an instance."""
    return instance, call


_protocols(Scripted(), Scripted().call)
