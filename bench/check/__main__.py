"""`python -m bench.check`: counts the instructions of fixed work under callgrind and compares them with what is stored.

The exit code is 0 if nothing is dearer than it was by more than `bounds.TOLERANCE`, 1 if something is, 2 if nothing
could be compared. `--update` stores what was counted.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench import native_programs
from bench.check import bounds
from bench.check.bounds import Bounds

ROOT: Final = Path(__file__).parents[2]
_NAME: Final = re.compile(r"^desc: Trigger: Client Request: (\d+) (.*)$", re.MULTILINE)
_THREAD: Final = re.compile(r"^thread: (\d+)$", re.MULTILINE)
_TOTAL: Final = re.compile(r"^(?:summary|totals): (\d+)$", re.MULTILINE)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.check", description=__doc__)
    parser.add_argument("--update", action="store_true", help=f"write {bounds.FILE.relative_to(ROOT)}")
    args = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("bench-check counts with valgrind: apt-get install valgrind", file=sys.stderr)
        return 2
    with TemporaryDirectory() as folder:
        counted = _counted(Path(folder))
    if args.update:
        bounds.FILE.write_text(bounds.written(Bounds(bounds.interpreter(), counted)))
        print(f"{bounds.FILE.relative_to(ROOT)}: {len(counted)} bounds")
        return 0
    stored = bounds.read(bounds.FILE)
    dearer = _told(counted, stored.instructions)
    if stored.interpreter != bounds.interpreter():
        print(f"stored by {stored.interpreter or 'nobody'}, counted by {bounds.interpreter()}: not comparable")
        return 2
    return 1 if dearer else 0


def _counted(folder: Path) -> dict[str, int]:
    """Instructions of the event loop's thread for each piece of work, done once."""
    library = native_programs.library("counting")
    command = [
        "valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes",
        f"--callgrind-out-file={folder / 'counts'}", sys.executable, "-m", "bench.check.counted", str(library),
    ]  # fmt: skip
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    home = folder / "home"
    home.mkdir()
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": path, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the work was not done:\n{done.stderr[-4000:]}")
    return _read(folder)


def _read(folder: Path) -> dict[str, int]:
    """What callgrind wrote: a file for each piece and thread."""
    found: dict[str, int] = {}
    for file in sorted(folder.glob("counts*")):
        head = file.read_text()
        name, thread, total = _NAME.search(head), _THREAD.search(head), _TOTAL.search(head)
        if name and total and thread and thread[1] == "1":
            found[name[2]] = int(total[1]) // int(name[1])
    return found


def _told(counted: Mapping[str, int], stored: Mapping[str, int]) -> bool:
    """Print every piece; whether one is dearer."""
    dearer = False
    for verdict in bounds.judged(counted, stored):
        change = "" if verdict.ratio is None else f"{verdict.ratio - 1:+.1%}"
        print(f"  {verdict.name:<50}{verdict.counted:>14,}  {change:>7}  {verdict.word}")
        dearer |= verdict.word == "DEARER"
    return dearer


if __name__ == "__main__":
    sys.exit(main())
