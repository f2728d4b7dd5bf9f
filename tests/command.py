"""Runs the program's commands as a user does, each in a process of its own."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from proxy import PATIENCE_S


class Cli:
    """Runs commands in a folder of their own."""

    def __init__(self, env: Mapping[str, str], cwd: Path) -> None:
        self.env, self.cwd = dict(env), cwd

    def __call__(self, *args: str | Path, stdin: bytes = b"") -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        command = [sys.executable, "-I", "-m", "core.cli", *map(str, args)]
        done = subprocess.run(
            command, env=self.env, cwd=self.cwd, input=stdin, capture_output=True, timeout=PATIENCE_S, check=False
        )
        assert b"Traceback" not in done.stderr
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def python(self, program: str) -> tuple[int, str, str]:
        """The same of a program's text."""
        done = subprocess.run(
            [sys.executable, "-I", "-c", program],
            env=self.env, cwd=self.cwd, capture_output=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def json(self, *args: str | Path, stdin: bytes = b"") -> tuple[int, Any]:
        code, out, _ = self(*args, "--json", stdin=stdin)
        return code, msgspec.json.decode(out)
