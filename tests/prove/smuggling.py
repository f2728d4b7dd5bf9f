"""Promise: no request is read in two ways: a probe is refused or closed, and what is hidden behind it stays hidden."""

import re
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

from prove.scene import PATIENCE_S, scene
from prove.section import Section, tally
from prove.smuggling_probes import LIVE, WORD, Due, Probe, probes

_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")
#: A server that waits for the rest of a request says nothing for so long (s).
_SILENCE_S: Final = 1.0
#: Probes at once.
_AT_ONCE: Final = 16


class Received(NamedTuple):
    """All that came back, and whether the server has closed."""

    data: bytes
    closed: bool

    @property
    def statuses(self) -> list[bytes]:
        """Of the final answers."""
        return [status for status in _STATUS.findall(self.data) if not status.startswith(b"1")]


def judge(due: Due, received: Received) -> str:
    """What is wrong; empty if nothing is."""
    statuses = received.statuses
    shown = b" ".join(statuses).decode() or "nothing"
    if due is Due.SERVED:
        whole = statuses == [b"200"] * 3 and WORD in received.data and LIVE in received.data
        return "" if whole and received.closed else f"answered {shown}, not three times 200"
    if WORD in received.data:
        return f"the hidden request is answered ({shown})"
    if due is Due.BODY and statuses[1:] == [b"200"] and LIVE in received.data:
        statuses = statuses[:1]
    if len(statuses) > 1 or not all(status.startswith(b"4") for status in statuses):
        return f"answered {shown}"
    if not received.closed and due is not Due.UNFINISHED:
        return f"left open after {shown}"
    return ""


def sent(port: int, parts: list[bytes], *, patience_s: float = PATIENCE_S) -> Received:
    """The parts, each in a segment of its own, and what comes back."""
    data = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=patience_s) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for part in parts:
                connection.sendall(part)
        except ConnectionError:
            pass  # refused while it was being sent; what was said before that may still be read
        try:
            while chunk := connection.recv(65536):
                data += chunk
        except TimeoutError:
            return Received(bytes(data), closed=False)
        except ConnectionError:
            pass
    return Received(bytes(data), closed=True)


def ways(data: bytes, every: int) -> Iterator[list[bytes]]:
    """Whole, byte by byte, and cut in two at each `every`-th byte."""
    yield [data]
    yield [data[at : at + 1] for at in range(len(data))]
    for at in range(1, len(data), every):
        yield [data[:at], data[at:]]


def _tried(port: int, probe: Probe, every: int) -> Iterator[tuple[str, str]]:
    """(what came, what is wrong) of each way to send a probe."""
    patience_s = _SILENCE_S if probe.due is Due.UNFINISHED else PATIENCE_S
    for number, parts in enumerate(ways(probe.data, every if probe.due is not Due.UNFINISHED else len(probe.data))):
        received = sent(port, parts, patience_s=patience_s)
        wrong = judge(probe.due, received)
        way = ("whole", "byte by byte")[number] if number < 2 else f"cut at {len(parts[0])}"
        yield (
            b" ".join(received.statuses).decode() or ("closed" if received.closed else "waits"),
            f"{probe.name} ({probe.why}), sent {way}: {wrong}" if wrong else "",
        )


def section(folder: Path, every: int) -> Section:
    """Every probe, in every way."""
    came: Counter[str] = Counter()
    found = Section("")
    with scene(folder) as proxy:
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            for results in threads.map(lambda probe: [*_tried(proxy.port, probe, every)], probes()):
                came.update(what for what, _ in results)
                found.findings += [wrong for _, wrong in results if wrong][:3]
        found.findings += proxy.whole()
    found.title = f"{len(probes())} requests that two parsers may read differently, sent in {came.total()} ways"
    found.counts["answers"] = tally(came)
    found.number = f"{len(found.findings)} of {came.total()} read wrongly"
    return found
