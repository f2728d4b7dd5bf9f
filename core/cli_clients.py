"""Reads coding agents' settings files, for `run` and `doctor`."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from core.client_files import (
    MOST,
    ClaudeSettings,
    CodexSettings,
    claude_places,
    codex_place,
    read_claude,
    read_codex,
)


def home_of(env: Mapping[str, str]) -> Path:
    """The user's home, as clients find it."""
    return Path(env.get("HOME") or Path.home())


def claude_files(env: Mapping[str, str], folder: Path) -> list[ClaudeSettings]:
    """Claude Code's settings files that there are, for somebody who works in `folder`; the strongest last."""
    places = claude_places(env, home_of(env), folder)
    return [read_claude(str(place), data) for place in places if (data := _bytes(place)) is not None]


def codex_file(env: Mapping[str, str]) -> CodexSettings | None:
    """Codex' configuration, if there is one."""
    place = codex_place(env, home_of(env))
    return None if (data := _bytes(place)) is None else read_codex(str(place), data)


def _bytes(place: Path) -> bytes | None:
    """A regular file's bytes; None if it is none, or cannot be read. A hostile folder's FIFO is not waited for."""
    try:
        handle = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        return file.read(MOST)
