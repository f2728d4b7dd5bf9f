"""The child process that runs guests: it reads asks from one socket, runs them in order, and writes what came of them.

It is started by `pool` with no environment and no descriptors but its socket and its board, and gives up everything
else that it could reach before the first module arrives. The engine makes its thread while that is still allowed.
"""

import gc
import importlib
import os
import socket
import sys
import time
from contextlib import suppress
from typing import Final

from wasm_host import engine, hardening, paths
from wasm_host.board import Board
from wasm_host.execute import Executor
from wasm_host.frames import Ask, Keep, Load, Ready, Said, Splitter, pack, to_worker

#: The parent is trusted; this only keeps a damaged length from looking like one.
_MESSAGE_MAX: Final = 1 << 31
_READ: Final = 256 * 1024


class Worker:
    """Modules by hash, and the calls on them."""

    def __init__(self, board: Board, executor: Executor) -> None:
        self._board = board
        self._executor = executor

    def handle(self, message: Load | Keep | Ask) -> Said | None:
        """Do what the parent says; the reply, if there is one."""
        if isinstance(message, Ask):
            results = self._executor.run(message, lambda place: self._begin(message.id, place))
            self._board.idle()
            return Said(message.id, results)
        if isinstance(message, Load):
            with suppress(Exception):  # a damaged artifact is that rule's fault, and said when it is asked
                self._executor.load(message.sha256, message.code, message.memory)
        else:
            self._executor.keep(frozenset(message.sha256s))
        return None

    def _begin(self, ask: int, place: int) -> None:
        self._board.write(ask, place, time.monotonic_ns())


def serve(connection: socket.socket, worker: Worker) -> None:
    """Answer until the parent closes the connection."""
    splitter = Splitter(_MESSAGE_MAX)
    while data := connection.recv(_READ):
        for body in splitter.feed(data):
            said = worker.handle(to_worker(body))
            if said is not None:
                connection.sendall(pack(said))


def _executor(verdict: str) -> Executor:
    """Ready to run, its clock's thread included: no other can be started later."""
    executor = Executor(serving=paths.remembered(verdict))
    engine.ticker.enter(1)
    engine.ticker.leave()
    return executor


def main(arguments: list[str]) -> None:
    """`worker SOCKET BOARD VERDICT`: numbers of inherited descriptors, and what a worker before found out (or "")."""
    connection, descriptor = socket.socket(fileno=int(arguments[0])), int(arguments[1])
    board = Board(descriptor)
    os.close(descriptor)
    with suppress(Exception):  # what is wrong with it, the choice of the way will say
        importlib.import_module("wasm_host.native")
    executors: list[Executor] = []
    layers = hardening.apply([connection.fileno()], start=lambda: executors.append(_executor(arguments[2])))
    [executor] = executors
    gc.freeze()  # what was imported is there to stay: no collection need walk through it
    connection.sendall(pack(Ready(layers, executor.serving.verdict)))
    serve(connection, Worker(board, executor))


if __name__ == "__main__":
    main(sys.argv[1:])
