"""`serve`: one process, one listening socket, one banner."""

import gc
import os
import socket
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import NoReturn

import uvicorn

from core import banner, http1, listening, settings
from core.app import Proxy
from core.draining import Patience
from core.group.member import Member
from core.group.turns import Turns
from core.http_server import Server
from core.log_chain import terminal_of
from core.logs import LogWriter, take_over
from core.replacing import Predecessor
from core.settings import Loaded
from wasm_host import hardening


def serve(
    load: Callable[[Mapping[str, str]], Loaded], predecessor: Predecessor | None, member: Member | None = None
) -> int:
    """Serve until interrupted; the exit code. ConfigError before anything listens.

    `predecessor` serves the same address, and is told to leave as soon as this process can take over. A `member` of
    several has its listener from their supervisor, which says what there is to say at a start.
    """
    protected = hardening.protect_parent()  # before a key is read
    env = settings.environ()
    log = LogWriter(Turns(member.turns) if member else None, terminal=terminal_of(env, here=sys.stderr.isatty()))
    take_over(log)
    proxy = Proxy(lambda: load(env), env, log, member)
    proxy.metrics.hardening.labels(hardening.PARENT).set(protected == hardening.ON)
    loaded = proxy.generations.current.loaded
    server = loaded.settings.server
    try:
        listener = _listener(server.host, server.port, predecessor, member)
    except OSError as exc:
        print(
            listening.refusal(exc, server.host, server.port, predecessor.pid if predecessor else None), file=sys.stderr
        )
        return 1
    proxy.address = f"{server.host}:{listener.getsockname()[1]}"
    proxy.share_metrics(server.host, listener.getsockname()[1])
    if member is None:
        # One write: the log's own thread writes beside it, and a line of its must not begin in the middle of one.
        print(f"{banner.text(loaded, listener.getsockname()[1])}\n", end="", file=sys.stderr, flush=True)
    gc.freeze()  # modules, settings and taxonomy: no collection need ever walk through them
    gc.enable()

    def started() -> None:
        if predecessor is not None:
            log.log({"event": "replaced", "process": predecessor.pid, "steered": listening.steer_here(listener)})
            predecessor.leave()
        if member is not None:
            member.ready()

    def stopped() -> NoReturn:
        # Python and libuv would wait for their threads, and one of these may wait for a name server for half a minute.
        log.close()
        os._exit(0)

    try:
        made = _server(proxy, log, started, stopped)
        if member is not None:
            made.stand_in(member)
        made.run(sockets=[listener])
    finally:
        log.close()
    return 0


def _listener(host: str, port: int, predecessor: Predecessor | None, member: Member | None) -> socket.socket:
    if member is not None:
        return member.listener
    return (listening.join if predecessor else listening.listen)(host, port)


def _server(proxy: Proxy, log: LogWriter, started: Callable[[], None], stopped: Callable[[], None]) -> Server:
    def patience() -> Patience:
        server = proxy.generations.current.loaded.settings.server
        return Patience(server.drain_delay_s, server.drain_s)

    config = uvicorn.Config(
        proxy.asgi,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # or any local client could choose its address: whose word counts, `trusted_proxies` says
        lifespan="on",
        http=partial(http1.Connection, proxy.connections),  # type: ignore[arg-type]  # called as a class is
        loop="uvloop",
        ws="none",
        backlog=listening.BACKLOG,
    )
    return Server(
        config,
        connections=proxy.connections,
        drain=proxy.drain,
        under_way=proxy.asgi.under_way,
        patience=patience,
        report=log.log,
        on_started=started,
        on_stopped=stopped,
    )
