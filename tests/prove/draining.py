"""Promise: a stop cuts nobody silently. Streams under way at SIGTERM end whole, or with an error event and a cut."""

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path
from typing import Final

from upstream import running

from prove.scene import Scene, scene
from prove.section import Section, tally
from prove.stopping_clients import BOUND_S, TOLD, WHOLE, opened, request, rest

PROVIDER: Final = '[providers.u]\ndialect = "anthropic"\nbase_url = "{url}"\nallow_private = true\nany_model = true\n'
_SERVER: Final = "[server]\ndrain_delay_s = 0.5\ndrain_s = 4\n"
#: A stream of about two seconds; one that never ends; an answer that never begins.
SHORT: Final = '[[mock [{"text": "' + "word " * 12 + '", "chunk_delay": 0.4}]]]'
LONG: Final = '[[mock [{"text": "word word word", "fault": "stall", "after": 1, "times": 1000000}]]]'
MUTE: Final = '[[mock [{"delay": 600}]]]'
READY: Final = b"GET /health/ready HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"


class Client:
    """A request, what it was for, and what came of it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.verdict = ""
        self.begun = asyncio.Event()

    async def run(self, port: int) -> None:
        """Ask, and read to the end."""
        text = {"short": SHORT, "long": LONG, "mute": MUTE}[self.kind]
        reader, writer = await opened(port)
        writer.write(request("u,m", text, stream=True))
        data = b""
        if self.kind != "mute":
            data = await asyncio.wait_for(reader.readuntil(b"content_block_delta"), BOUND_S)
        self.begun.set()
        self.verdict = await rest(reader, data)
        writer.close()


async def look(port: int) -> list[str]:
    """What readiness says from SIGTERM until nobody listens any more."""
    seen: list[str] = []
    while True:
        try:
            reader, writer = await opened(port)
        except OSError as exc:
            return [*seen, "refused" if isinstance(exc, ConnectionRefusedError) else type(exc).__name__]
        try:
            writer.write(READY)
            said = (await asyncio.wait_for(reader.read(), BOUND_S))[9:12].decode() or "nothing"
        except OSError as exc:
            said = type(exc).__name__
        writer.close()
        if not seen or seen[-1] != said:
            seen.append(said)
        await asyncio.sleep(0.02)


async def _stop(proxy: Scene, streams: int, signals: int) -> tuple[list[Client], list[str]]:
    """The clients after the stop, and what readiness said."""
    kinds = ["short", "long"] * (streams // 2) + ["mute"] * (streams // 10)
    clients = [Client(kind) for kind in kinds]
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client.run(proxy.port))
        for client in clients:
            await asyncio.wait_for(client.begun.wait(), BOUND_S)
        proxy.process.send_signal(signal.SIGTERM)
        seen = await look(proxy.port)
        if signals == 2:
            proxy.process.send_signal(signal.SIGTERM)
    return clients, seen


def judge(clients: list[Client], signals: int) -> list[str]:
    """What is wrong: short streams are whole unless a second signal came, the others are told."""
    due = {"short": {WHOLE} if signals == 1 else {WHOLE, TOLD}, "long": {TOLD}, "mute": {TOLD}}
    wrong = Counter(f"{one.kind}: {one.verdict}" for one in clients if one.verdict not in due[one.kind])
    return [f"after {signals} signals, {what} ({count}×)" for what, count in wrong.items()]


def _log(proxy: Scene, told: int) -> list[str]:
    """What is wrong with what the proxy said at its end."""
    lines = [json.loads(line) for line in proxy.log().splitlines() if line.startswith("{")]
    stopped = [line for line in lines if line["event"] == "stopped"]
    if [(line["told"], line["cut"]) for line in stopped] != [(told, 0)]:
        return [f"the log says {stopped}, the clients that {told} were told"]
    return [f"the log has an error: {line}" for line in lines if line["level"] == "error"][:1]


def section(folder: Path, streams: int) -> Section:
    """One stop by one signal, one by two."""
    found = Section(f"{streams} streams and {streams // 10} silent requests under way at SIGTERM, half of them endless")
    for signals in (1, 2):
        with (
            running() as upstream,
            scene(folder / str(signals), config=_SERVER + PROVIDER.format(url=upstream.url)) as proxy,
        ):
            clients, seen = asyncio.run(_stop(proxy, streams, signals))
            code = proxy.process.wait(BOUND_S)
            verdicts = Counter(one.verdict for one in clients)
            found.counts[f"{signals} signals"] = f"{tally(verdicts)}; readiness {', '.join(seen)}; exit code {code}"
            found.findings += judge(clients, signals) + _log(proxy, verdicts[TOLD])
            if seen not in (["503", "refused"], ["200", "503", "refused"]):
                found.findings.append(f"readiness said {seen}, not 503 and then nothing")
            if code:
                found.findings.append(f"exit code {code}")
    found.number = f"{len(found.findings)} cut silently or wrongly of {2 * (streams + streams // 10)}"
    return found
