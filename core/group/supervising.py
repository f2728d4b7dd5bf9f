"""The supervisor's process: what it reads, prints and logs, and how it takes over from another one."""

import asyncio
import socket
import sys
from collections.abc import Callable, Mapping, Sequence

from core import banner, listening
from core.admin_token import AdminToken
from core.group import turns
from core.group.supervisor import Supervisor
from core.log_chain import terminal_of
from core.logs import LogWriter, take_over
from core.replacing import Predecessor
from core.settings import Loaded, state_dir
from wasm_host import hardening


def prepared(load: Callable[[Mapping[str, str]], Loaded], env: Mapping[str, str]) -> Loaded:
    """The configuration, with the admin token that all workers take. ConfigError."""
    hardening.protect_parent()  # before a key is read
    return AdminToken(state_dir(env)).completed(load(env))


async def supervise(
    loaded: Loaded,
    env: Mapping[str, str],
    listeners: Sequence[socket.socket],
    arguments: Sequence[str],
    predecessor: Predecessor | None,
) -> int:
    """Until the end; the exit status."""
    turn = turns.made()
    log = LogWriter(turns.Turns(turn), terminal=terminal_of(env, here=sys.stderr.isatty()))
    log.use(loaded.settings.log, loaded.secrets.redactor)
    take_over(log)

    def whole() -> None:
        if predecessor is not None:
            _take_over(predecessor, listeners, log)

    print(f"{banner.text(loaded, listeners[0].getsockname()[1])}\n", end="", file=sys.stderr, flush=True)
    supervisor = Supervisor(listeners, arguments, token=loaded.secrets.admin, turns=turn, say=log.log, whole=whole)
    try:
        return await supervisor.run()
    finally:
        log.close()


def _take_over(predecessor: Predecessor, listeners: Sequence[socket.socket], log: LogWriter) -> None:
    steered = listening.steer_here(listeners[0], len(listeners))
    log.log({"event": "replaced", "process": predecessor.pid, "steered": steered})
    predecessor.leave()
    loop = asyncio.get_running_loop()

    def gone() -> None:
        loop.remove_reader(predecessor.descriptor)
        listening.steer_nowhere(listeners[0])

    loop.add_reader(predecessor.descriptor, gone)
