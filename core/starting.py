"""How `serve` begins: as one process, or as a supervisor and the workers that it starts."""

import asyncio
import gc
import os
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Final, NamedTuple

from core import listening, processors, replacing, settings
from core.replacing import NotReplaceableError, Predecessor
from core.settings import Loaded

#: What the kernel calls a worker: nobody replaces one.
WORKER: Final = "terraphim-work"


class Command(NamedTuple):
    """What the command line says."""

    config: Path | None = None
    plugins: Path | None = None
    taxonomy: Path | None = None
    host: str | None = None
    port: int | None = None
    workers: int | str | None = None

    def load(self, env: Mapping[str, str]) -> Loaded:
        """The configuration as it is now; ConfigError."""
        return settings.load(
            self.config,
            env,
            plugins=self.plugins,
            taxonomy=self.taxonomy,
            host=self.host,
            port=self.port,
            workers=self.workers,
        )

    def arguments(self) -> list[str]:
        """The same as words."""
        return [
            word for name, value in self._asdict().items() if value is not None for word in (f"--{name}", str(value))
        ]


def serve(command: Command, replace: int | None, member: int | None) -> int:
    """Serve until interrupted; the exit code. ConfigError before anything listens.

    `replace` is a process that serves the same address: it is told to leave as soon as this one can take over. `member`
    is the descriptor of the line to the supervisor that started this process, if one did.
    """
    if member is not None:
        return _worker(command, member)
    replacing.name_process()
    try:
        with nullcontext() if replace is None else Predecessor(replace) as predecessor:
            if (count := _count(command)) > 1:
                return _supervisor(command, count, predecessor)
            from core import serving  # noqa: PLC0415  # a supervisor has no use for it

            return serving.serve(command.load, predecessor)
    except NotReplaceableError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1


def _count(command: Command) -> int:
    server = command.load(settings.environ()).settings.server
    return processors.available() if server.workers == "auto" else server.workers


def _worker(command: Command, descriptor: int) -> int:
    replacing.name_process(WORKER)
    from core import serving  # noqa: PLC0415
    from core.group.member import Member  # noqa: PLC0415

    try:
        member = Member(descriptor)
    except (OSError, ValueError) as exc:
        print(f"error: --member is what a supervisor tells its workers: {exc}", file=sys.stderr)
        return 1
    return serving.serve(command.load, None, member)


def _supervisor(command: Command, count: int, predecessor: Predecessor | None) -> int:
    from core.group import supervising  # noqa: PLC0415  # most have no use for it

    if not hasattr(os, "pidfd_open") or sys.platform != "linux":
        print("error: several workers need Linux: --workers 1", file=sys.stderr)
        return 1
    gc.enable()
    env = settings.environ()
    loaded = supervising.prepared(command.load, env)
    server = loaded.settings.server
    try:
        join = listening.join_together if predecessor else listening.listen_together
        listeners = join(server.host, server.port, count)
    except OSError as exc:
        print(
            listening.refusal(exc, server.host, server.port, predecessor.pid if predecessor else None), file=sys.stderr
        )
        return 1
    return asyncio.run(supervising.supervise(loaded, env, listeners, command.arguments(), predecessor))
