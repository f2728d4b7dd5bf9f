"""A worker's own loop, on a real socket, in a thread: what it answers to what it is sent."""

import os
import socket
import threading
from collections.abc import Iterator

import pytest
from test_execute import ask_of, executor_of, rules
from wasm_modules import ROUTE

from wasm_host.board import Board, make
from wasm_host.compiler import read_artifact
from wasm_host.execute import Executor
from wasm_host.frames import Ask, Call, Keep, Load, Result, Said, Splitter, from_worker, pack
from wasm_host.rule import RuleSet
from wasm_host.worker import Worker, serve

__all__ = ["rules"]  # the fixture


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    descriptor = make()
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    worker = Worker(Board(descriptor), Executor())
    thread = threading.Thread(target=serve, args=(theirs, worker))
    thread.start()
    yield ours
    ours.close()
    thread.join(10)
    theirs.close()
    os.close(descriptor)
    assert not thread.is_alive()


def receive(connection: socket.socket, count: int) -> list[Said]:
    splitter = Splitter(1 << 20)
    said: list[Said] = []
    while len(said) < count:
        messages = [from_worker(body) for body in splitter.feed(connection.recv(65536))]
        said += [message for message in messages if isinstance(message, Said)]
    return said


def loads(rules: RuleSet) -> bytes:
    pairs = [(rule.sha256, read_artifact(rule.compiled.artifact)) for rule in rules.rules]
    return b"".join(pack(Load(sha256, code or b"", 1 << 24)) for sha256, code in pairs)


def test_asks_are_answered_in_order_however_they_arrive(rules: RuleSet, connection: socket.socket) -> None:
    asks = [ask_of(rules, "abstain route"), ask_of(rules, "trap"), ask_of(rules, "route")]
    stream = loads(rules) + b"".join(map(pack, asks))
    connection.sendall(stream[:-5])
    connection.sendall(stream[-5:])
    shown = [[(result.fault, result.answer) for result in said.results] for said in receive(connection, 3)]
    routes = ("", ROUTE.encode())
    assert shown == [[("", b""), routes], [("trap", b"")], [routes]]


def test_a_module_that_cannot_be_loaded_fails_when_it_is_asked(rules: RuleSet, connection: socket.socket) -> None:
    broken = ask_of(rules, "route")
    connection.sendall(pack(Load(broken.calls[0].sha256, b"junk", 1 << 24)) + pack(broken))
    [said] = receive(connection, 1)
    assert [result.fault for result in said.results] == ["crash"]
    connection.sendall(loads(rules) + pack(broken))
    [said] = receive(connection, 1)
    assert said.results[0].answer == ROUTE.encode()


def test_what_is_not_kept_is_gone(rules: RuleSet, connection: socket.socket) -> None:
    connection.sendall(loads(rules) + pack(Keep([])) + pack(ask_of(rules, "route")))
    [said] = receive(connection, 1)
    assert said.results[0].fault == "crash"


def test_the_board_shows_what_runs(rules: RuleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    descriptor = make()
    board, seen = Board(descriptor), []
    os.close(descriptor)
    executor = executor_of(rules)
    run = executor._call

    def looking(call: Call, ask: Ask) -> Result:
        seen.append(board.read())
        return run(call, ask)

    monkeypatch.setattr(executor, "_call", looking)
    Worker(board, executor).handle(ask_of(rules, "abstain trap"))
    assert [(note.ask, note.call) for note in seen if note] == [(1, 0), (1, 1)]
    assert board.read() is None
