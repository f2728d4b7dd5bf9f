"""What one call sees of the outside, and what it says there. Pure: clock, randomness and input are the request's.

Nothing here blocks. A function takes unsigned numbers as the guest gave them; `World.invoke` is what a runtime calls
for an import, with the guest's memory and what fuel it has left.
"""

from collections.abc import Callable, Sequence
from hashlib import shake_128

from wasm_host import abi
from wasm_host.answer import clean
from wasm_host.guest import OUT_OF_FUEL, Fault, Memory, OutOfBounds, Prepared
from wasm_host.preflight import shape


class World:
    """One call's view of the outside, and what it said there."""

    def __init__(self, request: bytes, now_ms: int, seed: int, *, command: bool) -> None:
        self.request, self.now_ms, self.seed, self.command = request, now_ms, seed, command
        self.read, self.drawn = 0, 0
        self.answer = bytearray()
        self.lines: list[bytes] = []
        self.room = abi.LOG
        self._begun: dict[str, bytes] = {}
        self.fuel = 0
        self.end: BaseException | None = None

    def invoke(self, function: "Function", memory: Memory, fuel: int, args: Sequence[int]) -> int:
        """The function's result. Raises nothing: `end` is what ends the call, `fuel` what is left to it."""
        self.fuel = fuel
        try:
            self.charge(abi.HOST_CALL)
            return function(self, memory, *args)
        except Fault as fault:
            self.end = fault
        except Exception as exc:  # noqa: BLE001 - a guest must not be able to make the host fail
            self.end = Fault("crash", f"the host failed: {type(exc).__name__}")
        except BaseException as exc:  # noqa: BLE001 - an interruption is for who started the call
            self.end = exc
        return 0

    def output(self, data: bytes) -> None:
        """What a command answers; `Fault` ends one that says too much."""
        if len(self.answer) + len(data) > abi.ANSWER:
            raise Fault("refused", f"wrote more than {abi.ANSWER} bytes to its standard output, which is the limit")
        self.answer += data

    def input(self, most: int) -> bytes:
        """The next bytes of what a command is asked; empty at its end."""
        data = self.request[self.read : self.read + most]
        self.read += len(data)
        return data

    def random(self, length: int) -> bytes:
        """The next bytes of the request's randomness."""
        self.drawn += 1
        return shake_128(b"%d %d" % (self.seed, self.drawn)).digest(length)

    def charge(self, fuel: int) -> None:
        """Take `fuel` from the guest, so that it cannot spend the host's time instead of its own."""
        if fuel > self.fuel:
            self.fuel = 0
            raise Fault("fuel", OUT_OF_FUEL)
        self.fuel -= fuel

    def say(self, level: str, text: bytes) -> None:
        """Add a line to the log, as far as there is room."""
        if self.room > 0:
            line = f"{level}: {clean(text.decode(errors='replace'))}".encode()[: self.room]
            self.room -= len(line) + 1
            self.lines.append(line)

    def write(self, level: str, data: bytes) -> None:
        """Add to the log what comes as a stream: a line of it is a line there, the last one perhaps without its end."""
        begun = self._begun.get(level, b"")
        *lines, rest = (begun + data[: max(0, self.room - len(begun))]).split(b"\n")
        for line in lines:
            self.say(level, line)
        self._begun[level] = rest

    def log(self) -> str:
        """Everything that was said."""
        for level, rest in self._begun.items():
            if rest:
                self.say(level, rest)
        self._begun = {}
        return b"\n".join(self.lines).decode(errors="ignore")


def world_for(prepared: Prepared, request: bytes, now_ms: int, seed: int) -> World | None:
    """The world of a call; none if the module imports nothing. A command reads the request, a reactor is given it."""
    if prepared.pure:
        return None
    command = shape(prepared.exports) == "command"
    return World(request if command else b"", now_ms, seed, command=command)


Function = Callable[..., int]


def log(world: World, memory: Memory, level: int, pointer: int, length: int) -> int:
    """`terraphim.log`: keeps what fits, ignores what cannot be read."""
    count = min(length, max(0, world.room))
    world.charge(count)
    try:
        memory.check(pointer, length)
    except OutOfBounds:
        return 0
    world.say(abi.LOG_LEVELS[level] if level < len(abi.LOG_LEVELS) else "info", memory.read(pointer, count))
    return 0
