"""What the proxy and a worker say to each other: messages, and how they stand on a stream. Pure.

A message is msgpack behind its length (4 bytes, little endian). A worker is not trusted: what it sends is limited in
size and decoded by type, and its answers are judged again by the receiver.
"""

from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from wasm_host import abi

T = TypeVar("T")

HEAD: Final = 4
#: More than a worker's longest answer; a longer one is a worker out of its mind.
SAID_MAX: Final = 16 * 1024 * 1024
#: The host's own words about a fault, at most (characters).
_MESSAGE: Final = 4 * abi.MESSAGE
#: When the asking ends before the last rule: never (shadow), at an answer that may decide, or at a fault as well.
NEVER, AT_ANSWER, AT_FAULT = 0, 1, 2


class Load(Struct, tag=1, array_like=True, frozen=True):
    """Machine code of a module, and the memory limit (bytes) that it runs under."""

    sha256: str
    code: bytes
    memory: int


class Keep(Struct, tag=2, array_like=True, frozen=True):
    """The modules that are still in use; all others may be forgotten."""

    sha256s: list[str]


class Call(Struct, array_like=True, frozen=True):
    """One rule to ask: `request` counts in `Ask.requests`; limits in instructions, bytes, milliseconds."""

    sha256: str
    request: int
    fuel: int
    memory: int
    timeout_ms: int
    ends: int


class Ask(Struct, tag=3, array_like=True):
    """Rules in their order, with the requests that they are shown; time and seed as in the requests.

    The number is the connection's, and is set when the ask is sent.
    """

    id: int
    requests: list[bytes]
    now_ms: int
    seed: int
    calls: list[Call]


class Ready(Struct, tag=4, array_like=True, frozen=True):
    """The worker runs: what holds it (layer -> "on" or why not), and the verdict on the way to the engine."""

    layers: dict[str, str]
    path: str


class Result(Struct, array_like=True, frozen=True):
    """What one call gave. `fault` is an outcome code, or empty if the guest answered (`answer` empty: it abstains)."""

    fault: str = ""
    message: str = ""
    answer: bytes = b""
    fuel: int = 0
    pages: int = 0
    micros: int = 0
    log: str = ""


class Nonsense(Exception):
    """A worker says what a worker never says."""


#: Faults that a worker may report; whether a rule is asked at all is not its to say.
_FAULTS: Final = abi.FAULTS - {"skipped"} | {""}


def sane(result: Result) -> bool:
    """Whether a worker could honestly have said so: a code of its own, an answer and figures within their limits."""
    return (
        result.fault in _FAULTS
        and min(result.fuel, result.pages, result.micros) >= 0
        and len(result.answer) <= abi.ANSWER
        and len(result.log) <= abi.LOG
        and len(result.message) <= _MESSAGE
    )


class Said(Struct, tag=5, array_like=True, frozen=True):
    """The results of the calls of an `Ask`, in order, up to the one that ended the asking."""

    id: int
    results: list[Result]


ToWorker = Load | Keep | Ask
FromWorker = Ready | Said

_encode = msgspec.msgpack.Encoder().encode
to_worker: Final = msgspec.msgpack.Decoder(ToWorker).decode
from_worker: Final = msgspec.msgpack.Decoder(FromWorker).decode


def pack(message: Struct) -> bytes:
    """The message as it stands on the stream."""
    body = _encode(message)
    return len(body).to_bytes(HEAD, "little") + body


class TooLong(ValueError):
    """A message over the receiver's limit was announced."""


class Splitter:
    """Cuts a stream into messages, however it arrives."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rest = bytearray()

    def feed(self, data: bytes | memoryview) -> list[bytes]:
        """The messages that are whole now. `TooLong` if the next one is over the limit."""
        rest = self._rest
        rest += data
        whole, at = [], 0
        while len(rest) - at >= HEAD:
            length = int.from_bytes(rest[at : at + HEAD], "little")
            if length > self._most:
                raise TooLong(f"a message of {length} bytes, the limit is {self._most}")
            if len(rest) - at - HEAD < length:
                break
            whole.append(bytes(rest[at + HEAD : at + HEAD + length]))
            at += HEAD + length
        del rest[:at]
        return whole
