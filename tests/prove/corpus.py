"""Promise: whatever bytes a client sends, there is one answer, and no more memory than a few times their size."""

import json
import re
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from prove.corpus_cases import FLOODS, Case, Due, cases
from prove.scene import Scene, scene
from prove.section import Section, tally

FRONTS: Final = ("/v1/messages", "/v1/chat/completions")
#: How many times its body's size a request may weigh at its peak, and what is weighed at least (bytes).
TIMES, LEAST = 10, 4_000_000
#: What a head or framing without end may weigh (bytes): it is never held whole.
FLOOD: Final = 8_000_000
_BOUND_S: Final = 60.0
_ANSWER: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_READ: Final = 65536


def judge(case: Case, path: str, data: bytes) -> str:
    """What is wrong with what came back; empty if nothing is."""
    statuses = [status.decode() for status in _ANSWER.findall(data)]
    if len(statuses) != 1:
        return f"{len(statuses)} answers: {statuses}"
    status = statuses[0]
    allowed = {Due.REFUSED: ("4",), Due.SERVED: ("200",), Due.EITHER: ("4", "200")}[case.due]
    if not status.startswith(allowed):
        return f"{status} where {case.due.value} is due"
    head, _, body = data.partition(b"\r\n\r\n")
    try:
        answer = json.loads(body)
    except ValueError:
        return f"{status} with a body that is no JSON: {body[:80]!r}"
    if status == "200":
        return "" if b'"stop_reason"' in body or b'"finish_reason"' in body else "200 without an answer"
    return _error_fault(path, answer, head)


def _error_fault(path: str, answer: Any, head: bytes) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str) or not error.get("type"):
        return f"an error in no shape: {answer}"
    if path == FRONTS[0] and answer.get("type") != "error":
        return f"not Anthropic's error: {answer}"
    if b"internal error" in error["message"].encode() or b"content-type: application/json" not in head.lower():
        return f"not our own words: {error['message']}"
    return ""


def exchange(port: int, path: str, body: bytes) -> bytes:
    """All that comes back for a body."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return _talk(port, iter([head.encode() + b"Content-Length: %d\r\n\r\n" % len(body), body]))


def _talk(port: int, parts: Iterator[bytes]) -> bytes:
    data = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=_BOUND_S) as connection:
        with suppress(ConnectionError):  # refused while it was being sent
            for part in parts:
                connection.sendall(part)
        with suppress(ConnectionError):
            while chunk := connection.recv(_READ):
                data += chunk
    return bytes(data)


class Weight:
    """What a process has weighed since `begin`: its peak over where it began (bytes)."""

    def __init__(self, pid: int) -> None:
        self._proc = Path("/proc") / str(pid)
        self._begin = 0

    def begin(self) -> None:
        """From now on. Where the peak cannot be reset, an earlier one counts too: never too little is found."""
        with suppress(OSError):
            (self._proc / "clear_refs").write_text("5")
        self._begin = self._read("VmRSS")

    def peak(self) -> int:
        """Since then."""
        return self._read("VmHWM") - self._begin

    def _read(self, name: str) -> int:
        found = re.search(rf"{name}:\s+(\d+) kB", (self._proc / "status").read_text())
        return int(found[1]) * 1024 if found else 0


def _warm(proxy: Scene) -> Weight:
    """A process that has answered before, and weighs what it weighs in service."""
    for path in FRONTS:
        exchange(proxy.port, path, b'{"model":"auto","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}')
    weight = Weight(proxy.process.pid)
    weight.begin()
    return weight


def _light(folder: Path, found: Section) -> None:
    came: Counter[str] = Counter()
    with scene(folder) as proxy:
        for case in (case for case in cases() if not case.weighs):
            for path in FRONTS:
                data = exchange(proxy.port, path, case.make())
                came[data[9:12].decode() or "nothing"] += 1
                if wrong := judge(case, path, data):
                    found.findings.append(f"{case.name} to {path}: {wrong}")
        found.findings += proxy.whole()
        found.findings += [f"the log has a bug: {line[:300]}" for line in proxy.log().splitlines() if '"bug"' in line]
    found.counts["small bodies"] = tally(came)


def _heavy(folder: Path, every: int, found: Section) -> float:
    """The most that one of the large bodies weighed, in sizes of itself."""
    most = 0.0
    chosen = [(case, path) for case in cases() if case.weighs for path in FRONTS][::every]
    for number, (case, path) in enumerate(chosen):
        body = case.make()
        with scene(folder / str(number)) as proxy:
            weight = _warm(proxy)
            wrong = judge(case, path, exchange(proxy.port, path, body))
            peak = weight.peak()
        times = peak / max(len(body), LEAST)
        most = max(most, times)
        found.counts[f"{case.name}, {path}"] = f"{len(body) / 1e6:.1f} MB, {times:.1f} times that"
        if wrong or times > TIMES:
            found.findings.append(f"{case.name} to {path}: {wrong or f'weighs {times:.1f} times its size'}")
    return most


def _floods(folder: Path, every: int, found: Section) -> None:
    for number, (name, (begin, again, times)) in enumerate([*FLOODS.items()][::every]):
        with scene(folder / str(number)) as proxy:
            weight = _warm(proxy)
            data = _talk(proxy.port, _flood(begin, again, times))
            peak = weight.peak()
            statuses = b" ".join(_ANSWER.findall(data)).decode()
            found.counts[name] = f"{statuses or 'closed'}, {peak / 1e6:.1f} MB"
            if len(statuses) > 3 or (statuses and statuses[0] != "4"):
                found.findings.append(f"{name}: answered {statuses}")
            if peak > FLOOD:
                found.findings.append(f"{name}: weighs {peak / 1e6:.1f} MB")
            found.findings += proxy.whole()


def _flood(begin: bytes, again: bytes, times: int) -> Iterator[bytes]:
    """In pieces of about 64 KiB."""
    yield begin
    many = max(1, _READ // len(again))
    for _ in range(0, times, many):
        yield again * many


def section(folder: Path, every: int) -> Section:
    """All small bodies; each `every`-th of the large ones and of the floods, each in a process of its own."""
    found = Section("bodies and heads that parsers choke on, on both fronts")
    _light(folder / "light", found)
    most = _heavy(folder / "heavy", every, found)
    _floods(folder / "floods", every, found)
    found.number = f"{len(found.findings)} wrong; the heaviest body {most:.1f} times its size"
    return found
