"""`serve`: one process, one listening socket, one banner."""

import gc
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

import uvicorn

from core import http1, listening, replacing, settings
from core.app import Proxy
from core.config_file import LOOPBACK_NAMES
from core.draining import Patience
from core.http_server import Server
from core.log_chain import terminal_of
from core.logs import LogWriter, take_over
from core.replacing import NotReplaceableError, Predecessor
from core.settings import Loaded
from wasm_host import hardening


def serve(
    config: Path | None,
    plugins: Path | None,
    taxonomy: Path | None,
    host: str | None,
    port: int | None,
    replace: int | None = None,
) -> int:
    """Serve until interrupted; the exit code. ConfigError before anything listens.

    `replace` is a process that serves the same address: it is told to leave as soon as this one can take over.
    """
    replacing.name_process()
    try:
        with nullcontext() if replace is None else Predecessor(replace) as predecessor:
            return _serve(
                lambda env: settings.load(config, env, plugins=plugins, taxonomy=taxonomy, host=host, port=port),
                predecessor,
            )
    except NotReplaceableError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1


def _serve(load: Callable[[Mapping[str, str]], Loaded], predecessor: Predecessor | None) -> int:
    protected = hardening.protect_parent()  # before a key is read
    env = settings.environ()
    log = LogWriter(terminal=terminal_of(env, here=sys.stderr.isatty()))
    take_over(log)
    proxy = Proxy(lambda: load(env), env, log)
    proxy.metrics.hardening.labels(hardening.PARENT).set(protected == hardening.ON)
    loaded = proxy.generations.current.loaded
    server = loaded.settings.server
    try:
        listener = (listening.join if predecessor else listening.listen)(server.host, server.port)
    except OSError as exc:
        advice = f"Does process {predecessor.pid} listen there?" if predecessor else "Try --port."
        print(f"error: cannot listen on {server.host}:{server.port}: {exc.strerror}. {advice}", file=sys.stderr)
        return 1
    proxy.address = f"{server.host}:{listener.getsockname()[1]}"
    proxy.share_metrics(server.host, listener.getsockname()[1])
    # One write: the log's own thread writes beside it, and a line of its must not begin in the middle of one.
    print(f"{banner(loaded, listener.getsockname()[1])}\n", end="", file=sys.stderr, flush=True)
    gc.freeze()  # modules, settings and taxonomy: no collection need ever walk through them
    gc.enable()

    def started() -> None:
        if predecessor is not None:
            log.log({"event": "replaced", "process": predecessor.pid, "steered": listening.steer_here(listener)})
            predecessor.leave()

    def stopped() -> NoReturn:
        # Python and libuv would wait for their threads, and one of these may wait for a name server for half a minute.
        log.close()
        os._exit(0)

    try:
        _server(proxy, log, started, stopped).run(sockets=[listener])
    finally:
        log.close()
    return 0


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
        timeout_keep_alive=75,
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


def banner(loaded: Loaded, port: int) -> str:
    """What a user sees first: where to point a client, and whether answers are real."""
    server = loaded.settings.server
    host = f"[{server.host}]" if ":" in server.host else server.host
    shown = "127.0.0.1" if server.host in LOOPBACK_NAMES else host
    lines = [
        f"Terraphim LLM Proxy listens on http://{host}:{port}",
        f"  configuration: {loaded.path or 'none (the embedded default)'}",
        f"  rules: {loaded.settings.plugins.dir}   taxonomy: {loaded.settings.taxonomy.dir}",
        "  Claude Code:",
        f"    export ANTHROPIC_BASE_URL=http://{shown}:{port}",
        f"    export ANTHROPIC_AUTH_TOKEN={'<one of server.keys>' if server.keys else 'none-needed'}",
        f"  OpenAI SDKs: OPENAI_BASE_URL=http://{shown}:{port}/v1",
        f"  page: http://{shown}:{port}/ui#token={quote(loaded.secrets.admin)}",
    ]
    if loaded.settings.simulated:
        lines.append(
            "  No provider key was found: answers are SIMULATED (x-terraphim-simulated: 1).\n"
            "  Set ANTHROPIC_API_KEY, OPENROUTER_API_KEY or another provider's key for real ones."
        )
    return "\n".join(lines)
