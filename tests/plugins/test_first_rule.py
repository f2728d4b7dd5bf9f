"""The guide's first rules, as a new user makes them from the text alone, in an empty folder."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from builds import environment
from documents import DOCS, Block, blocks

RULES = DOCS / "rules.md"
#: A source says in its first line where it belongs.
PLACE = re.compile(r"(?:/\*|//|#) (\w+/[\w.]+)")

pytestmark = pytest.mark.toolchain


def section() -> list[Block]:
    """The blocks of the five minutes."""
    text = RULES.read_text("utf-8")
    begin = text.index("## Your first rule in five minutes\n")
    end = text.index("\n## ", begin)
    lines = text.count("\n", 0, begin), text.count("\n", 0, end)
    return [block for block in blocks(RULES, "sh", "c", "rust", "js", "toml") if lines[0] < block.line < lines[1]]


def test_the_guide_is_understood() -> None:
    found = section()
    assert {block.language for block in found} == {"sh", "c", "rust", "js", "toml"}
    placed = {match[1] for block in found if (match := PLACE.match(block.text))}
    assert len(placed) == len([block for block in found if block.language != "sh"]) == 6


def test_the_first_rules_are_made_as_the_guide_says(tmp_path: Path) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, start in (("terraphim-proxy", f"{sys.executable} -I -m core.cli"), ("python3", sys.executable)):
        (commands / name).write_text(f'#!/bin/sh\nexec {start} "$@"\n')
        (commands / name).chmod(0o755)
    reader = tmp_path / "reader"
    reader.mkdir()
    env = {**environment(tmp_path), "TERRAPHIM_DISCOVERY": "off"}
    env["PATH"] = f"{commands}:{env['PATH']}"
    printed = ""
    for block in section():
        if block.language != "sh":
            match = PLACE.match(block.text)
            assert match, block
            assert (reader / match[1]).exists(), f"{block}: `rules new` made no such file"
            (reader / match[1]).write_text(block.text, "utf-8")
            continue
        command = ["/bin/sh", "-ec", block.text]
        done = subprocess.run(command, cwd=reader, env=env, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"
        printed += done.stdout
    assert len(re.findall(r"passed, 0 failed", printed)) == 4
    assert re.search(r"^pictures +50 +enforce +default +yes ", printed, re.MULTILINE)
    assert "route: anthropic,claude-opus-4-5\nreason: review\n" in printed
