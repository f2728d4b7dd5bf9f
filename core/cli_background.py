"""A proxy that was started for somebody and stays when he goes."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from core.cli_proxy import Address, NoProxyError, health
from wasm_host import files

#: Seconds in which it must answer, and between two looks.
START_S: Final = 30.0
_LOOK_S: Final = 0.1
LOG: Final = "serve.log"


def start(address: Address, config: Path | None, env: Mapping[str, str], state: Path) -> tuple[int, dict[str, Any]]:
    """Start `serve` for `address` with this environment; its process and what its `/health` says. NoProxyError with
    the end of its log if it does not come up. Two of these at once are no harm: the port is one's alone.
    """
    files.private_folder(state)
    log = state / LOG
    command = [sys.executable, "-I", "-m", "core.cli", "serve", "--host", address.host, "--port", str(address.port)]
    command += ["--config", str(config)] if config else []
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(log, flags, 0o600), "wb") as out:
        process = subprocess.Popen(  # noqa: S603  # our own program
            command, env=dict(env), stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, cwd="/"
        )
    deadline = time.monotonic() + START_S
    why = ""
    while time.monotonic() < deadline:
        try:
            return process.pid, health(address)
        except NoProxyError as exc:
            why = str(exc)
        if process.poll() is not None:
            break
        time.sleep(_LOOK_S)
    raise NoProxyError(f"it did not start: {_end_of(log) or why} (whole log: {log})")


def _end_of(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines()
    return next((line for line in reversed(lines) if line.startswith("error")), "")
