"""What a guest may ask of the world, and the answers. Pure: clock, randomness and input are the request's.

Nothing here blocks. A function takes unsigned numbers as the guest gave them; `World.invoke` is what a runtime calls
for an import, with the guest's memory and what fuel it has left.
"""

from collections.abc import Callable, Sequence
from typing import Final

from wasm_host import abi
from wasm_host.answer import clean
from wasm_host.guest import OUT_OF_FUEL, Fault, Memory, OutOfBounds, Prepared


class World:
    """One call's view of the outside, and what it said there."""

    def __init__(self, request: bytes, now_ms: int, seed: int, *, command: bool) -> None:
        self.request, self.now_ms, self.seed, self.command = request, now_ms, seed, command
        self.lines: list[bytes] = []
        self.room = abi.LOG
        self.answer = bytearray()
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

    def log(self) -> str:
        return b"\n".join(self.lines).decode(errors="ignore")


def world_for(prepared: Prepared, request: bytes, now_ms: int, seed: int) -> World | None:
    """The world of a call; none if the module imports nothing. A command reads the request, a reactor is given it."""
    if prepared.pure:
        return None
    command = abi.ROUTE not in prepared.exports
    return World(request if command else b"", now_ms, seed, command=command)


Function = Callable[..., int]


def _log(world: World, memory: Memory, level: int, pointer: int, length: int) -> int:
    """`terraphim.log`: keeps what fits, ignores what cannot be read."""
    count = min(length, max(0, world.room))
    world.charge(count)
    try:
        memory.check(pointer, length)
    except OutOfBounds:
        return 0
    world.say(abi.LOG_LEVELS[level] if level < len(abi.LOG_LEVELS) else "info", memory.read(pointer, count))
    return 0


#: Every import that a module may have, by module and name.
FUNCTIONS: Final[dict[tuple[str, str], Function]] = {("terraphim", "log"): _log}
