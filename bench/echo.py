"""The floor of a round trip to another process: one that only sends back what it gets, on the same event loop."""

import asyncio
import socket
import subprocess
import sys
import time
from typing import Final, cast

#: It answers a message of any size with one byte, as soon as it has read something.
_CODE: Final = """
import socket, sys
sock = socket.socket(fileno=int(sys.argv[1]))
while sock.recv(262144):
    sock.sendall(b".")
"""


class _Side(asyncio.Protocol):
    def __init__(self) -> None:
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, _: bytes) -> None:
        self.answer.set_result(None)


async def round_trips(message: bytes, runs: int) -> list[float]:
    """Microseconds of each; the message should fit into one read."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(  # noqa: ASYNC220 - nothing else waits here
            [sys.executable, "-I", "-S", "-c", _CODE, str(theirs.fileno())], pass_fds=[theirs.fileno()], env={}
        )
        theirs.close()
        ours.setblocking(False)  # noqa: FBT003 - the socket's own signature
        transport, side = await asyncio.get_running_loop().create_unix_connection(_Side, sock=ours)
        try:
            return [await _once(side, message) for _ in range(runs + 20)][20:]
        finally:
            transport.close()
            process.kill()
            process.wait()


async def _once(side: _Side, message: bytes) -> float:
    side.answer = asyncio.get_running_loop().create_future()
    begin = time.perf_counter_ns()
    side.transport.write(message)
    await side.answer
    return (time.perf_counter_ns() - begin) / 1000
