import os
import subprocess
import sys

import pytest

from core.group import turns
from core.group.turns import Turns

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SKIPPED: files without a name are Linux'")

#: Writes lines that a pipe takes in several pieces.
PROGRAM = """\
import sys
from core.group.turns import Turns
stream = Turns(int(sys.argv[1]))
for _ in range(200):
    stream.write(memoryview(sys.argv[2].encode() * 20_000 + b"\\n"))
"""


def test_lines_of_several_processes_stay_whole() -> None:
    turn = turns.made()
    reads, writes = os.pipe()
    processes = [
        subprocess.Popen(
            [sys.executable, "-I", "-c", PROGRAM, str(turn), letter], pass_fds=[turn], stderr=writes, env={}
        )
        for letter in "abc"
    ]
    os.close(writes)
    with os.fdopen(reads) as pipe:
        lines = [line.rstrip("\n") for line in pipe]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    os.close(turn)
    assert sorted(lines) == [letter * 20_000 for letter in "abc" for _ in range(200)]


class Slow:
    """Takes three bytes at a time, and now and then none."""

    def __init__(self) -> None:
        self.data, self.asked = b"", 0

    def write(self, data: memoryview, /) -> int | None:
        self.asked += 1
        if self.asked % 3 == 0:
            return None
        self.data += data[:3]
        return min(3, len(data))


def test_everything_is_written_to_who_takes_little_at_a_time() -> None:
    slow, slept, turn = Slow(), list[float](), turns.made()
    assert Turns(turn, slow, slept.append).write(memoryview(b"a line of many bytes\n")) == 21
    assert slow.data == b"a line of many bytes\n"
    assert slept
    os.close(turn)


def test_a_turn_ends_with_what_went_wrong_in_it() -> None:
    class Full:
        def write(self, data: memoryview, /) -> int | None:
            raise OSError("no room")

    turn = turns.made()
    with pytest.raises(OSError, match="no room"):
        Turns(turn, Full()).write(memoryview(b"line"))
    code = "import fcntl, sys; fcntl.lockf(int(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    other = subprocess.run([sys.executable, "-I", "-c", code, str(turn)], pass_fds=[turn], env={}, check=False)
    assert other.returncode == 0
    os.close(turn)
