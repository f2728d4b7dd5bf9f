"""Promise: a rolling restart on one port loses no connection and no request, whatever is under way."""

import asyncio
import random
import subprocess
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from upstream import running

from bench import children
from prove.draining import PROVIDER
from prove.scene import Scene, scene
from prove.section import Section, tally
from prove.stopping_clients import BOUND_S, TOLD, WHOLE, Kept, once, request

#: Clients of each kind.
CLIENTS: Final = 6
#: Pauses of those who keep their connections are at most so long (s).
_PAUSE_S: Final = 0.3
#: Replacements have at least so much time between them (s).
_APART_S: Final = 0.5
#: A stream of about a second and a half.
_STREAM: Final = '[[mock [{"text": "' + "word " * 12 + '", "chunk_delay": 0.3}]]]'


class Crowd:
    """Clients that ask until they are told to stop."""

    def __init__(self, port: int, seed: int) -> None:
        self.verdicts: dict[str, Counter[str]] = {kind: Counter() for kind in ("new", "kept", "stream")}
        self.over = False
        self.kept_connections = 0
        self._port = port
        self._rng = random.Random(seed)  # noqa: S311 - reproducible on purpose

    async def new(self) -> None:
        """A connection for each request."""
        while not self.over:
            self.verdicts["new"][await once(self._port, request("a,b", "hello", close=True))] += 1

    async def kept(self) -> None:
        """One connection as long as it may."""
        client = Kept(self._port)
        while not self.over:
            self.verdicts["kept"][await client.ask(request("a,b", "hello"))] += 1
            await asyncio.sleep(self._rng.random() * _PAUSE_S)
        client.leave()
        self.kept_connections += client.connections

    async def stream(self) -> None:
        """A stream after the other."""
        while not self.over:
            asked = request("u,m", _STREAM, stream=True, close=True)
            self.verdicts["stream"][await once(self._port, asked)] += 1

    def failed(self) -> list[str]:
        """What was neither whole nor, of a stream, told."""
        allowed = {"new": {WHOLE}, "kept": {WHOLE}, "stream": {WHOLE, TOLD}}
        return [
            f"{kind}: {verdict} ({count}×)"
            for kind, verdicts in self.verdicts.items()
            for verdict, count in verdicts.items()
            if verdict not in allowed[kind]
        ]


def successor(proxy: Scene, number: int, pid: int) -> subprocess.Popen[bytes]:
    """One more proxy on the port, which replaces the process `pid`."""
    home = proxy.folder / f"home-{number}"
    env = children.environment(home)
    arguments = ("--config", str(proxy.folder / "config.toml"), "--port", str(proxy.port), "--replace", str(pid))
    with (home / "log").open("wb") as log:
        return subprocess.Popen(
            children.python("-c", children.PROGRAM, "serve", *arguments), env=env, cwd=home, stderr=log
        )


async def _replace(proxy: Scene, times: int, stack: ExitStack, crowd: Crowd) -> list[str]:
    """So many replacements while the crowd asks; exit codes that are not 0."""
    wrong: list[str] = []
    current = proxy.process
    async with asyncio.TaskGroup() as group:
        for client in (crowd.new, crowd.kept, crowd.stream) * CLIENTS:
            group.create_task(client())
        for number in range(times):
            begun = time.monotonic()
            following = successor(proxy, number, current.pid)
            stack.callback(following.wait)
            stack.callback(following.kill)
            code = await asyncio.to_thread(_ended, current)
            if code:
                wrong.append(f"replacement {number}: the old process ended with {code}")
                break
            current = following
            await asyncio.sleep(max(0.0, begun + _APART_S - time.monotonic()))
        crowd.over = True
    if current.poll() is not None:
        wrong.append(f"the last successor ended with {current.poll()}")
    return wrong


def _ended(process: subprocess.Popen[bytes]) -> int | str:
    try:
        return process.wait(BOUND_S)
    except subprocess.TimeoutExpired:
        return "no end"


def section(folder: Path, times: int) -> Section:
    """Replace the proxy so many times."""
    found = Section(f"{times} rolling restarts under {3 * CLIENTS} clients")
    with ExitStack() as stack:
        config = PROVIDER.format(url=stack.enter_context(running()).url)
        proxy = stack.enter_context(scene(folder, config=config))
        crowd = Crowd(proxy.port, times)
        found.findings += asyncio.run(_replace(proxy, times, stack, crowd))
        found.findings += crowd.failed()
    for kind, verdicts in crowd.verdicts.items():
        found.counts[kind] = tally(verdicts)
    found.counts["kept"] += f", on {crowd.kept_connections} connections"
    asked = sum(verdicts.total() for verdicts in crowd.verdicts.values())
    found.number = f"{len(crowd.failed())} lost of {asked}, {times} restarts"
    return found
