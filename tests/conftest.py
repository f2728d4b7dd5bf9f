"""Fixtures for everybody."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from upstream import Upstream, running


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A fake provider of the test's own."""
    with running() as fake:
        yield fake


@pytest.fixture
def clean_env(tmp_path: Path) -> dict[str, str]:
    """The whole environment of a process that a test starts: nothing of this machine's but the path to programs."""
    home = tmp_path / "home"
    home.mkdir()
    return {"HOME": str(home), "PATH": os.defpath, "LANG": "C.UTF-8", "TERRAPHIM_DISCOVERY": "off"}
