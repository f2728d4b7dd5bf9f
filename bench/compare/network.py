"""A network of its own for the comparison: nobody that is measured reaches anything but this machine's loopback."""

import os
import socket
import sys
from collections.abc import Sequence
from typing import Final

from prove import cage

_UP: Final = 'ip link set lo up && exec "$@"'


def isolated() -> bool:
    """Whether there is no interface but the loopback."""
    return [name for _, name in socket.if_nameindex()] == ["lo"]


def isolate(words: Sequence[str]) -> None:
    """Start this program anew in such a network; returns if none can be made here (it takes root, or user namespaces).

    Everything that it starts ends with it: it is the first process of a process namespace, too.
    """
    if opened := cage.unshare():
        command = [*opened, "sh", "-c", _UP, "sh", sys.executable, "-m", "bench.compare", *words]
        os.execvp(command[0], command)  # noqa: S606 - no shell is meant
