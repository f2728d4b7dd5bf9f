"""Runs the program's commands as a user does, each in a process of its own."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import forks
import msgspec
from proxy import PATIENCE_S


class Cli:
    """Runs commands in a folder of their own. `fresh`: each in an interpreter of its own, where tests would fork."""

    def __init__(self, env: Mapping[str, str], cwd: Path, *, fresh: bool = False) -> None:
        self.env, self.cwd, self.fresh = dict(env), cwd, fresh

    def __call__(self, *args: str | Path, stdin: bytes = b"") -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        run = self._fresh if self.fresh or forks.current is None else self._forked
        status, out, err = run([*map(str, args)], stdin)
        assert b"Traceback" not in err
        return status, out.decode(), err.decode()

    def _fresh(self, args: list[str], stdin: bytes) -> tuple[int, bytes, bytes]:
        command = [sys.executable, "-I", "-m", "core.cli", *args]
        done = subprocess.run(
            command, env=self.env, cwd=self.cwd, input=stdin, capture_output=True, timeout=PATIENCE_S, check=False
        )
        return done.returncode, done.stdout, done.stderr

    def _forked(self, args: list[str], stdin: bytes) -> tuple[int, bytes, bytes]:
        assert forks.current is not None
        with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
            given.write(stdin)
            given.seek(0)
            streams = (given.fileno(), out.fileno(), err.fileno())
            program = forks.current.start(args, env=self.env, cwd=self.cwd, streams=streams)
            try:
                status = program.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
                raise
            out.seek(0)
            err.seek(0)
            return status, out.read(), err.read()

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
