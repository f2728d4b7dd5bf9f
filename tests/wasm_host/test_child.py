import signal
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest

from wasm_host import abi, child


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module `probe` that a child can run: write its source there."""
    monkeypatch.setattr(child, "_ROOT", str(tmp_path))
    return tmp_path / "probe.py"


RESTRAINED = f"""
import sys
sys.path.insert(0, {str(Path(abi.__file__).parents[1])!r})
from wasm_host import child
child.restrain(memory=1 << 30, cpu_s=1)
"""


def test_a_child_has_nothing_of_ours(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_API_KEY", "sk-1")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    script.write_text(
        textwrap.dedent("""
        import json, os, sys
        given = sys.stdin.read()
        descriptors = [int(name) for name in os.listdir("/proc/self/fd")]
        json.dump([dict(os.environ), os.getcwd(), sys.argv[1:], given, sys.flags.isolated,
                   max(descriptors)], sys.stdout)
        """)
    )
    with (tmp_path / "open").open("w"):
        done = child.run("probe", ["a", "b"], b"input", timeout_s=30)
    environment, folder, arguments, given, isolated, descriptor = msgspec.json.decode(done.stdout)
    assert set(environment) <= {"LC_CTYPE"}  # Python sets it itself
    assert (folder, arguments, given, isolated) == ("/", ["a", "b"], "input", 1)
    assert descriptor <= 3  # stdin, stdout, stderr and the listing itself


def test_too_much_cpu(script: Path) -> None:
    script.write_text(RESTRAINED + "while True: pass")
    done = child.run("probe", [], b"", timeout_s=60)
    assert done.status == -signal.SIGXCPU
    assert done.reason == "cpu"


def test_too_much_memory(script: Path) -> None:
    script.write_text(RESTRAINED + "bytearray(1 << 30)")
    done = child.run("probe", [], b"", timeout_s=60)
    assert done.status == 1
    assert done.reason == "memory"


def test_too_much_time(script: Path) -> None:
    script.write_text("import time; time.sleep(1000)")
    done = child.run("probe", [], b"", timeout_s=0.3)
    assert done.status is None
    assert done.reason == "time"


def test_a_crash(script: Path) -> None:
    script.write_text("import os; os.abort()")
    done = child.run("probe", [], b"", timeout_s=60)
    assert done.status == -signal.SIGABRT
    assert done.reason == "crash"


def test_it_is_the_same_python(script: Path) -> None:
    script.write_text("import sys; print(sys.executable, end='')")
    assert child.run("probe", [], b"", timeout_s=60).stdout.decode() == sys.executable
