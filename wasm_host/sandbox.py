"""A worker process for one caller who waits: what runs rules beside the proxy, many thousand times.

The same process as behind `pool`, with the same walls. A call that takes it along is a crash, and the next one has a
new process.
"""

import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import msgspec

from wasm_host import board, child
from wasm_host.asking import ends
from wasm_host.frames import (
    SAID_MAX,
    Ask,
    Load,
    Nonsense,
    Ready,
    Result,
    Said,
    Splitter,
    TooLong,
    from_worker,
    pack,
    sane,
)
from wasm_host.rule import Rule

#: How long a process may take to be ready, and a call beyond its limit (seconds): the worker's own clock is first.
START_S: Final = 60.0
GRACE_S: Final = 10.0
_READ: Final = 256 * 1024


class Sandbox:
    """Runs calls in a worker, which is started by the first one. For one thread."""

    def __init__(self, *, grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        self._modules: dict[str, Load] = {}
        self._process: _Process | None = None
        self._verdict = ""

    def load(self, rules: Iterable[Rule]) -> None:
        """Have these rules' modules too; one whose machine code is gone crashes when it is called."""
        from wasm_host.compiler import read_artifact  # noqa: PLC0415 - what replays answers only needs no compiler

        for rule in rules:
            known, memory = self._modules.get(rule.sha256), rule.settings.limits.memory
            if known is not None and known.memory >= memory:
                continue
            code = known.code if known else read_artifact(rule.compiled.artifact)
            if code:
                self._modules[rule.sha256] = Load(rule.sha256, code, memory)

    def have(self, module: Load) -> None:
        """Have this module too, whose machine code the caller keeps."""
        known = self._modules.get(module.sha256)
        if known is None or known.memory < module.memory:
            self._modules[module.sha256] = module

    def run(self, ask: Ask) -> list[Result]:
        """The results of an ask's calls, in order, up to the one that ends it. Where the process dies, they are made
        one by one, and each that takes it along is a crash.
        """
        try:
            return self._asked(ask)
        except _ENDED as exc:
            self.close()
            if len(ask.calls) == 1:
                return [_lost(exc)]
        results = []
        for call in ask.calls:
            results += self.run(msgspec.structs.replace(ask, calls=[call]))
            if ends(call, results[-1]):
                break
        return results

    def _asked(self, ask: Ask) -> list[Result]:
        process = self._process = self._process or self._started()
        process.provide(self._modules, {call.sha256 for call in ask.calls})
        return process.ask(ask, self._grace_s)

    def _started(self) -> "_Process":
        process = _Process(self._verdict)
        self._verdict = process.ready.path
        return process

    @property
    def pid(self) -> int | None:
        """Of the process, if there is one."""
        return self._process.pid if self._process else None

    @property
    def layers(self) -> dict[str, str]:
        """What holds the process (layer -> "on" or why not); empty before the first call."""
        return self._process.ready.layers if self._process else {}

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


#: What the end of a process looks like, or of its mind.
_ENDED: Final = (OSError, EOFError, Nonsense, TooLong, msgspec.MsgspecError)


def _lost(exc: Exception) -> Result:
    if isinstance(exc, TimeoutError):
        return Result("timeout", "ran longer than its limit, and was ended with its process")
    return Result("crash", f"took its process with it ({type(exc).__name__})")


class _Process:
    """One worker, and the modules that it has. Raises `OSError`, `EOFError` and what is no message."""

    def __init__(self, verdict: str) -> None:
        self._connection, theirs = socket.socketpair()
        page = board.make()
        try:
            self._popen = child.start_worker(theirs.fileno(), page, verdict)
        except BaseException:
            self._connection.close()
            raise
        finally:
            theirs.close()
            os.close(page)
        self._splitter = Splitter(SAID_MAX)
        self._has: dict[str, int] = {}
        try:
            ready = self._heard(START_S)
        except BaseException:
            self.end()
            raise
        if not isinstance(ready, Ready):
            self.end()
            raise Nonsense
        self.ready, self.pid = ready, self._popen.pid

    def provide(self, modules: dict[str, Load], wanted: Iterable[str]) -> None:
        for sha256 in wanted:
            module = modules.get(sha256)
            if module is not None and self._has.get(sha256) != module.memory:
                self._connection.sendall(pack(module))
                self._has[sha256] = module.memory

    def ask(self, ask: Ask, grace_s: float) -> list[Result]:
        self._connection.sendall(pack(ask))
        said = self._heard(sum(call.timeout_ms for call in ask.calls) / 1000 + grace_s)
        if not isinstance(said, Said) or not said.results or not all(map(sane, said.results)):
            raise Nonsense
        return said.results

    def _heard(self, seconds: float) -> Ready | Said:
        self._connection.settimeout(seconds)
        while True:
            data = self._connection.recv(_READ)
            if not data:
                raise EOFError
            if bodies := self._splitter.feed(data):
                heard: Ready | Said = from_worker(bodies[0])
                return heard

    def end(self) -> None:
        self._connection.close()
        with suppress(OSError):
            self._popen.kill()
        self._popen.wait()
