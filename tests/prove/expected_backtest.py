"""`python -m prove.expected_backtest`: a backtest of generated traffic has the result that is stored beside it.

What is stored changes with the generator, the taxonomy and the way of deciding: `--write` stores what comes out now,
and the difference is for whoever reads the change to judge.
"""

import sys
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
from command import Cli

from prove.recorded import record

ROOT: Final = Path(__file__).parents[2]
EXPECTED: Final = Path(__file__).with_suffix(".json")
SEED, REQUESTS = 7, 1500
CONFIG: Final = f"""\
[providers.anthropic]
dialect = "anthropic"
models = {{ "claude-sonnet-4-5" = {{}}, "claude-haiku-4-5" = {{}} }}
[providers.openai]
dialect = "openai"
models = {{ "gpt-5" = {{}}, "gpt-5-mini" = {{}} }}
[routing]
default = "anthropic,claude-sonnet-4-5"
[routing.runtime]
background = "openai,gpt-5-mini"
[taxonomy]
dir = "{ROOT / "taxonomy"}"
[plugins]
dir = "plugins"
"""
#: Whose request, as rules are shown it, has an even number of bytes is sent to the small model.
RULE: Final = """\
(module (memory (export "memory") 5)
  (data (i32.const 16) "{\\22route\\22:\\22anthropic,claude-haiku-4-5\\22,\\22reason\\22:\\22thrift\\22}")
  (func (export "rule_v1_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param i32 i32) (result i64)
    (if (result i64) (i32.and (local.get 1) (i32.const 1)) (then (i64.const 0)) (else (i64.const 68719476792)))))
"""
CONCEPT: Final = "# Second opinion\nroute:: openai, gpt-5\npriority:: 70\nsynonyms:: second opinion, thorough review\n"
CANDIDATES: Final = {"thrift.wat": RULE, "second_opinion.md": CONCEPT, "other.toml": CONFIG.replace(
    'default = "anthropic,claude-sonnet-4-5"', 'default = "openai,gpt-5"')}  # fmt: skip


def results(home: Path, requests: int = REQUESTS) -> dict[str, Any]:
    """What a backtest of each candidate says, by its file's name."""
    (home / "plugins").mkdir()
    (home / "config.toml").write_text(CONFIG)
    env = record(home, home / "config.toml", SEED, requests)
    cli = Cli({**env, "TERRAPHIM_CONFIG": str(home / "config.toml")}, home)
    return dict(_tried(cli))


def _tried(cli: Cli) -> Iterator[tuple[str, Any]]:
    for name, text in CANDIDATES.items():
        (cli.cwd / name).write_text(text)
        code, out, said = cli("backtest", "--with", name, "--json")
        if code:
            raise RuntimeError(f"{name}: exit {code}: {said}")
        result = msgspec.json.decode(out)
        del result["digest"]  # of files that name folders, and of the program's version
        yield name, result


def changes(found: dict[str, Any]) -> list[str]:
    """Lines that differ from what is stored."""
    now, then = _text(found), EXPECTED.read_text() if EXPECTED.exists() else ""
    return list(unified_diff(then.splitlines(), now.splitlines(), "stored", "now", lineterm="", n=1))


def _text(found: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(found, order="sorted"), indent=1).decode() + "\n"


def main() -> None:
    """The command line."""
    with TemporaryDirectory() as home:
        found = results(Path(home))
    for name, result in found.items():
        print(f"{name}: {result['flips']} of {result['records']} requests would go elsewhere")
    if "--write" in sys.argv[1:]:
        EXPECTED.write_text(_text(found))
    elif differing := changes(found):
        print("\n".join(differing[:60]), "\nwhat is meant is stored by: make backtest WRITE=--write", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
