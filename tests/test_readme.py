"""The README as a new user reads it: every command is run, in order, against a real proxy, and shows what it says."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from documents import README, Block, blocks
from facts import ROOT
from proxy import PATIENCE_S, RunningProxy, running

BLOCKS = blocks(README, "sh", "text", "wat", "toml", "python")
#: Blocks that set up a machine or start a client; `make run` and `make test` are what `.ci/run` does.
NOT_RUN = ("make run", "ANTHROPIC_API_KEY=... make run", "export ANTHROPIC_BASE_URL", "codex -c")
#: What differs from run to run.
VARIES = re.compile(
    r"(?<=fuel=)\d+|(?<=micros=)\d+|(?<=micros: )\[\d+\]|(?<=time: )[\d.]+|[\d,]+(?= µs)|(?<=fuel )[\d,]+"
    r"|(?<=snapshot )[0-9a-f]{12}|(?<=module )[0-9a-f]{12}|(?<=digest )[0-9a-f]{16}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the README's commands find plugins/ and the command itself."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "plugins").mkdir()
    shipped = (ROOT / "plugins" / "wasm-demo.wat").read_text("utf-8")
    (folder / "plugins" / "wasm-demo.wat").write_text(shipped, "utf-8")
    command = folder / "bin" / "terraphim-proxy"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -I -m core.cli "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def reader_env(folder: Path, session_env: dict[str, str]) -> dict[str, str]:
    """A new user has counted no tokens yet; the session's proxies have, and keep that in their home."""
    return {**session_env, "XDG_STATE_HOME": str(folder / "state")}


@pytest.fixture(scope="module")
def proxy(folder: Path, reader_env: dict[str, str]) -> Iterator[RunningProxy]:
    with running(reader_env, "--plugins", str(folder / "plugins")) as started:
        yield started


def shell(block: Block, proxy: RunningProxy, folder: Path, env: Mapping[str, str]) -> str:
    """What the block prints; it must succeed. The function that an earlier block defines is there."""
    functions = "".join(other.text for other in BLOCKS if other.language == "sh" and other.text.startswith("ask()"))
    script = "set -e\n" + (functions + block.text).replace("http://127.0.0.1:3456", proxy.url)
    path = f"{folder / 'bin'}:{os.defpath}"
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        env={**env, "PATH": path, "TERRAPHIM_PLUGINS__DIR": str(folder / "plugins")},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, f"{block}: {done.stderr}"
    return done.stdout


def runs() -> list[tuple[Block, Block | None]]:
    """Commands in their order, each with the text that follows as its output."""
    found: list[tuple[Block, Block | None]] = []
    for block, after in zip(BLOCKS, [*BLOCKS[1:], None], strict=True):
        if block.language == "sh" and not block.text.startswith(NOT_RUN):
            found.append((block, after if after is not None and after.language == "text" else None))
    return found


def test_the_readme_is_understood() -> None:
    """Nothing above is skipped because a pattern no longer fits."""
    [rule] = [block for block in BLOCKS if block.language == "wat"]
    assert rule.text.startswith("(module")
    assert len([block for block in BLOCKS if block.language == "sh"]) == len(runs()) + len(NOT_RUN)
    assert len([block for block in BLOCKS if block.language == "text"]) == len([out for _, out in runs() if out])


def test_the_commands_show_what_the_readme_shows(proxy: RunningProxy, folder: Path, reader_env: dict[str, str]) -> None:
    [rule] = [block for block in BLOCKS if block.language == "wat"]
    for block, expected in runs():
        if block.line > rule.line and not (folder / "plugins" / "fast.wat").exists():
            (folder / "plugins" / "fast.wat").write_text(rule.text, "utf-8")
            proxy.wait_for(event="snapshot_swapped", rules=["fast", "wasm-demo"])
        printed = shell(block, proxy, folder, reader_env)
        if expected is not None:
            assert VARIES.sub("N", printed) == VARIES.sub("N", expected.text), str(expected)


def test_what_the_readme_says_of_answers(proxy: RunningProxy, folder: Path, reader_env: dict[str, str]) -> None:
    asks = [block for block in BLOCKS if block.language == "sh" and block.text.startswith("curl")]
    answer, route = (shell(block, proxy, folder, reader_env) for block in asks)
    assert "routed to openrouter,deepseek/deepseek-chat by the custom phase (reason: rule:wasm-demo)" in answer
    assert '"reason":"concept:use_opus"' in route


def test_the_sdks_are_used_as_the_readme_shows(proxy: RunningProxy, reader_env: dict[str, str]) -> None:
    [block] = [block for block in BLOCKS if block.language == "python"]
    script = block.text.replace("http://127.0.0.1:3456", proxy.url)
    done = subprocess.run(
        [sys.executable, "-I", "-c", script],
        env=reader_env,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("by the default phase") == 2
