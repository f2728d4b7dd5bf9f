"""Processes that share their numbers: real ones, killed at any moment. A sum never falls."""

import fcntl
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from core import telemetry
from core.metrics import sharing
from core.metrics.sharing import Busy, Sharing, folder_of
from core.metrics.totals import Samples, encoded, merged, samples
from wasm_host import files

#: A process that counts one after the other, and says after each scrape of its own what it answered.
CHILD = """
import sys, time
from pathlib import Path
from core import telemetry
from core.metrics import sharing
from core.metrics.totals import merged, samples
count = 0
def read():
    return samples({telemetry.REQUESTS.name: [(("/v1/messages", "200"), (float(count),))]})
part = sharing.Sharing(Path(sys.argv[1]), read)
for line in sys.stdin:
    count += 7
    living, dead = part.gather()
    print(sum(numbers[0] for numbers in merged(telemetry.REQUESTS, living, dead).values()), flush=True)
part.leave()
"""


class Child:
    """Such a process."""

    def __init__(self, folder: Path) -> None:
        env = {"HOME": str(folder), "PATH": os.defpath}
        command = [sys.executable, "-I", "-c", CHILD, str(folder)]
        self.process = subprocess.Popen(command, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def scraped(self) -> float:
        """It counts seven, and answers for all."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def end(self) -> None:
        """It leaves as it should."""
        self.process.communicate(timeout=20)


class Here(Sharing):
    """A part of the test's own process, with a number that the test changes."""

    def __init__(self, folder: Path) -> None:
        self.count = 0.0
        self.lines: list[dict[str, object]] = []
        super().__init__(folder, self._numbered, lambda fields, _: self.lines.append(fields), sleep=lambda _: None)

    def _numbered(self) -> Samples:
        gauge = [((), (self.count,))]
        counter = [(("/v1/messages", "200"), (self.count,))]
        return samples({telemetry.REQUESTS.name: counter, telemetry.IN_FLIGHT.name: gauge})

    def total(self, metric: telemetry.Metric = telemetry.REQUESTS) -> float:
        living, dead = self.gather()
        return sum(numbers[0] for numbers in merged(metric, living, dead).values())

    def dies(self) -> None:
        """As by SIGKILL: nothing is written, and the kernel lets go of what it held."""
        self._ended.set()
        self._beats.join()
        os.close(self._alive)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "metrics" / "here"


@pytest.fixture(autouse=True)
def _seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "BEAT_S", 3600.0)


def test_whoever_is_asked_answers_for_all(folder: Path) -> None:
    one, two = Here(folder), Here(folder)
    one.count, two.count = 3, 4
    assert two.total() == 4  # the other has written nothing yet
    assert one.total() == two.total() == 7
    assert one.total(telemetry.IN_FLIGHT) == 7
    for here in (one, two):
        here.dies()


def test_counters_outlive_their_process_and_gauges_do_not(folder: Path) -> None:
    one, two, three = Here(folder), Here(folder), Here(folder)
    one.count, two.count = 3, 4
    one.total()
    one.dies()
    assert (two.total(), two.total(telemetry.IN_FLIGHT)) == (7, 4)
    assert (two.total(), three.total()) == (7, 7)
    two.leave()
    assert (three.total(), three.total(telemetry.IN_FLIGHT)) == (7, 0)
    three.leave()


def test_who_leaves_says_what_it_counted_last(folder: Path) -> None:
    one, two = Here(folder), Here(folder)
    one.count = 5
    one.leave()
    assert two.total() == 5
    two.leave()


def test_who_begins_alone_begins_at_nothing(folder: Path) -> None:
    one = Here(folder)
    one.count = 5
    one.total()
    one.dies()
    two = Here(folder)
    assert two.total() == 0
    assert len(list(folder.glob("*.alive"))) == 1
    two.leave()


def test_who_has_company_writes_now_and_then(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "BEAT_S", 0.01)
    one = Here(folder)
    two = Here(folder)
    one.count = 5
    deadline = time.monotonic() + 10
    while two.total() != 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert two.total() == 5
    one.leave()
    two.leave()


def test_a_number_that_cannot_be_had_for_once_stops_no_beat(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "BEAT_S", 0.01)
    one, two = Here(folder), Here(folder)

    def failing() -> Samples:
        raise KeyError("gone")

    read, one._read = one._read, failing
    until(lambda: len(one.lines) == 1)
    one.count, one._read = 5, read
    until(lambda: two.total() == 5)
    assert [line["problem"] for line in one.lines] == ["KeyError", "mended"]
    one.leave()
    two.leave()


def until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_a_killed_writer_left_is_removed(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True)
    (folder / ".half.part").write_bytes(b"half")
    one = Here(folder)
    assert not list(folder.glob("*.part"))
    one.leave()


def test_files_are_for_nobody_else(folder: Path) -> None:
    one = Here(folder)
    one.total()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    one.leave()


@pytest.mark.parametrize("when", ["before the dead were written", "before its files were removed"])
def test_a_death_while_the_dead_are_counted_counts_nobody_twice(
    folder: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = Here(folder), Here(folder), Here(folder)
    one.count = 5
    one.total()
    one.dies()

    class KilledError(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        if when.startswith("before the dead"):
            patch.setattr(Path, "replace", killed)
            patch.setattr(two, "_write", two._read)
        with pytest.raises(KilledError):
            two.total()
    two.dies()
    assert (three.total(), three.total()) == (5, 5)
    three.leave()


def test_a_disk_that_is_full_is_told_once_and_sums_stay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = Here(folder), Here(folder)
    one.count = two.count = 5
    one.total()
    one.dies()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "write", full)
        assert (two.total(), two.total()) == (10, 10)
    assert two.lines == [{"event": "metrics_not_shared", "problem": "No space left on device"}]
    assert two.total() == 10
    assert two.lines[1:] == [{"event": "metrics_not_shared", "problem": "mended"}]
    two.leave()


@pytest.mark.parametrize("data", [b"", b"{", b"\x00" * 100, encoded(samples({}))[:-1]])
def test_a_damaged_file_spoils_only_itself(folder: Path, data: bytes) -> None:
    one, two, three = Here(folder), Here(folder), Here(folder)
    for here in (one, two, three):
        here.count = 5
        here.total()
    (folder / f"{two._name}.numbers").write_bytes(data)
    assert one.total() == 10
    two.dies()
    assert one.total() == 10
    one.leave()
    three.leave()


def test_a_link_in_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    one, two = Here(folder), Here(folder)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(encoded(samples({telemetry.REQUESTS.name: [(("x", "y"), (1000.0,))]})))
    (folder / f"{two._name}.numbers").symlink_to(elsewhere)
    assert one.total() == 0
    one.leave()
    two.dies()


def test_a_door_that_stays_shut_is_no_answer(folder: Path) -> None:
    one = Here(folder)
    descriptor = os.open(folder / "door", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(Busy, match="another process"):
        one.total()
    os.close(descriptor)
    assert one.total() == 0
    one.leave()


def test_real_processes_that_are_killed_lose_nothing_that_was_said(folder: Path) -> None:
    """Any of them is asked, some are killed or leave, others come: the sum never falls, and is exact at the end."""
    chance = random.Random(7)  # noqa: S311
    children, said, asked = [Child(folder) for _ in range(3)], 0.0, 0
    for child in children:
        child.scraped()
    asked = 3
    said = 0.0
    for turn in range(40):
        if turn % 13 == 12:
            chance.choice([Child.kill, Child.end])(children.pop(chance.randrange(len(children))))
            children.append(Child(folder))
        now = chance.choice(children).scraped()
        asked += 1
        assert now >= said
        said = now
    assert said == 7 * asked
    for child in children:
        child.end()


def test_one_that_is_stopped_is_not_dead(folder: Path) -> None:
    child, here = Child(folder), None
    try:
        child.scraped()
        here = Here(folder)
        child.process.send_signal(signal.SIGSTOP)
        assert (here.total(), here.total()) == (7, 7)
        child.process.send_signal(signal.SIGCONT)
        assert child.scraped() == 14
        here.leave()
    finally:
        with suppress(ProcessLookupError):
            child.process.send_signal(signal.SIGCONT)
        child.kill()


def test_an_address_is_a_folder(tmp_path: Path) -> None:
    assert folder_of(tmp_path, "::1", 3456, machine="here").name == "here___1_3456"
    assert folder_of(tmp_path, "../../etc", 1, machine="a/b").parent == tmp_path / "metrics"
    assert "/" not in folder_of(tmp_path, "../../etc", 1, machine="a/b").name
