"""Programs that a proof needs and the project does not: each in a folder of its own below `.tools`."""

import shutil
import subprocess
import sys
from pathlib import Path

from bench import children

TOOLS = Path(__file__).parents[2] / ".tools"


class NotInstalled(RuntimeError):
    """It cannot be tried here."""


def install(folder: Path, package: str, name: str) -> str:
    """The version of `name`; once installed, it stays. `NotInstalled` says what went wrong."""
    python, done = str(folder / "bin" / "python"), folder / "done"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run(folder, sys.executable, "-m", "venv", str(folder))
        _run(folder, python, "-m", "pip", "install", "-q", "--disable-pip-version-check", package)
        done.touch()
    version = f"import importlib.metadata; print(importlib.metadata.version({name!r}))"
    return _run(folder, python, "-c", version).strip()


def install_npm(folder: Path, package: str) -> None:
    """As `install`, of npm's registry. No script of a package runs."""
    done = folder / "done"
    if done.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _run(
        folder,
        "npm",
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
        str(folder),
        package,
    )
    done.touch()


def _run(folder: Path, *command: str) -> str:
    env = children.environment(folder / "home")
    done = subprocess.run(command, check=False, env=env, capture_output=True, text=True)
    if done.returncode:
        raise NotInstalled(f"{' '.join(command)}\n{(done.stderr or done.stdout)[-2000:]}")
    return done.stdout
