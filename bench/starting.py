"""How long the program takes to start, beside importing the libraries that it stands on."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import children
from bench.row import Row, number
from bench.stats import median

LIBRARIES = "import fastapi, uvicorn, httpx"
SUITE = "Start-up (ratio to importing fastapi, uvicorn, httpx; compiled modules and rules cached)"


def rows(rounds: int) -> Iterator[Row]:
    """Import, `--help` and `serve` until /health answers, by turns; the first turn fills the caches."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        cache = home / "pycache"
        env = children.environment(home / "home")

        def finished(*args: str) -> None:
            subprocess.run(children.python(*args, cache=cache), env=env, cwd=home, capture_output=True, check=True)

        def healthy() -> None:
            with children.proxy(core=None, home=home / "home", cache=cache):
                pass

        steps: dict[str, Callable[[], None]] = {
            "import": lambda: finished("-c", LIBRARIES),
            "--help": lambda: finished("-c", children.PROGRAM, "--help"),
            "serve": healthy,
        }
        turns = [{name: _seconds(step) for name, step in steps.items()} for _ in range(rounds + 1)][1:]
    for name, bound in (("--help", 0.3), ("serve", 1.5)):
        ratios = [turn[name] / turn["import"] for turn in turns]
        own, libraries = (median([turn[key] for turn in turns]) for key in (name, "import"))
        title = "serve, until /health answers" if name == "serve" else name
        yield Row(
            suite=SUITE, name=title, value=median(ratios), unit="x", bound=bound, spread=(min(ratios), max(ratios)),
            note=f"{number(own)} s, the import {number(libraries)} s",
            figures={"seconds": own, "import_seconds": libraries},
        )  # fmt: skip


def _seconds(step: Callable[[], None]) -> float:
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin
