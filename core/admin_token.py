"""The admin token: the configured one, or else one of our own in the state folder, the same after a restart."""

import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from secrets import token_urlsafe
from tempfile import mkstemp
from typing import Final

from core.errors import Problem
from core.settings import Loaded
from wasm_host import files

NAME: Final = "admin-token"
#: 256 bits.
_BYTES: Final = 32
_OURS: Final = re.compile(rb"[A-Za-z0-9_-]{43}\n?")
_ADVICE: Final = "the token is another one at each start; set server.admin_token, or mend the folder"


def made_token() -> str:
    """A new one."""
    return token_urlsafe(_BYTES)


class AdminToken:
    """Completes each configuration that is loaded with the token. Processes that share a state folder share it."""

    def __init__(self, folder: Path, make: Callable[[], str] = made_token) -> None:
        self.path = folder / NAME
        self._make = make
        #: What serves as long as none can be kept.
        self._fallback = ""

    def completed(self, loaded: Loaded) -> Loaded:
        """The same with a token; a file that cannot be used is a warning. It waits: not on the event loop."""
        if loaded.secrets.admin:
            return loaded
        try:
            token, warnings = self._kept(), loaded.warnings
        except (OSError, files.Unusable) as exc:
            self._fallback = token = self._fallback or self._make()
            why = exc.message if isinstance(exc, files.Unusable) else f"cannot be written: {exc.strerror}"
            warnings = (*loaded.warnings, Problem(str(self.path), 0, why, _ADVICE))
        return replace(loaded, secrets=replace(loaded.secrets, admin=token), warnings=warnings)

    def _kept(self) -> str:
        """What the file holds. One that others could read, or that holds no token of ours, is replaced."""
        for _ in range(3):
            data = files.read_if_there(self.path, 1024)
            if data is not None and _OURS.fullmatch(data) and self._private():
                return data.decode().strip()
            if data is not None:
                self.path.unlink(missing_ok=True)
            self._write()
        raise files.Unusable("is changed by another process again and again", "look who does")

    def _private(self) -> bool:
        return not stat.S_IMODE(self.path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO)

    def _write(self) -> None:
        """A new one, unless another process is quicker: of two that start at once, both read the same afterwards."""
        files.private_folder(self.path.parent)
        handle, temporary = mkstemp(dir=self.path.parent, prefix=".", suffix=".part")  # mode 0600
        try:
            with os.fdopen(handle, "w") as file:
                file.write(f"{self._make()}\n")
            with suppress(FileExistsError):
                os.link(temporary, self.path)
        finally:
            Path(temporary).unlink(missing_ok=True)
