"""`serve`: one process, one listening socket, one banner."""

import gc
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from core import settings
from core.app import Proxy
from core.config_file import LOOPBACK_NAMES
from core.logs import LogWriter, take_over
from core.settings import Loaded
from wasm_host import hardening

BACKLOG = 2048


def serve(config: Path | None, plugins: Path | None, taxonomy: Path | None, host: str | None, port: int | None) -> int:
    """Serve until interrupted; the exit code. ConfigError before anything listens."""
    protected = hardening.protect_parent()  # before a key is read
    env = settings.environ()

    def load() -> Loaded:
        return settings.load(config, env, plugins=plugins, taxonomy=taxonomy, host=host, port=port)

    log = LogWriter()
    take_over(log)
    proxy = Proxy(load, env, log)
    proxy.metrics.hardening.labels(hardening.PARENT).set(protected == hardening.ON)
    loaded = proxy.generations.current.loaded
    server = loaded.settings.server
    try:
        listener = _listen(server.host, server.port)
    except OSError as exc:
        print(f"error: cannot listen on {server.host}:{server.port}: {exc.strerror}. Try --port.", file=sys.stderr)
        return 1
    print(banner(loaded, listener.getsockname()[1]), file=sys.stderr, flush=True)
    gc.freeze()  # modules, settings and taxonomy: no collection need ever walk through them
    gc.enable()
    http_server = uvicorn.Server(
        uvicorn.Config(
            proxy.asgi,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            http=proxy.connections.protocol,  # type: ignore[arg-type]  # called as a class is
            loop="uvloop",
            ws="none",
            backlog=BACKLOG,
            timeout_keep_alive=75,
        )
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises the signal that ended it once more: by default it would end us before the log is written.
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        http_server.run(sockets=[listener])
    finally:
        log.close()
    return 0


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.listen(BACKLOG)
    return listener


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
    ]
    if loaded.settings.simulated:
        lines.append(
            "  No provider key was found: answers are SIMULATED (x-terraphim-simulated: 1).\n"
            "  Set ANTHROPIC_API_KEY, OPENROUTER_API_KEY or another provider's key for real ones."
        )
    return "\n".join(lines)
