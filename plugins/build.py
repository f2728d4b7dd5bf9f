"""Builds the sample rules in src/NAME/ beside this file: `build.py [--strict] [--into DIR] [NAME ...]`.

Every sample is its own source beside the readers and the build script that `rules new` gives to everybody. Toolchains
come from PyPI, npm and Debian, the first two into .tools/ of the clone. A language whose toolchain cannot be had is
skipped, loudly; with --strict that is a failure. A compiler's own error always is.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from wasm_host import scaffold  # noqa: E402 - found by the line above, in a clone without an installation too

TOOLS = HERE.parent / ".tools"
#: How build.sh says that a toolchain cannot be had.
MISSING = 69

SAMPLES: Mapping[str, str] = {
    "office_hours": "c",
    "budget_guard": "rust",
    "model_alias": "assemblyscript",
    "plan_mode": "wat",
    "team_router": "cpp",
    "ab_split": "zig",
    "ladder": "go",
    "phrases": "js",
}


def sources(name: str) -> dict[str, str]:
    """What is built: the sample's own files, and the template's."""
    own = {path.name: path.read_text("utf-8") for path in (HERE / "src" / name).iterdir() if path.suffix != ".json"}
    return own | scaffold.build_files(SAMPLES[name], name)


def build(name: str, folder: Path) -> str:
    """Build one sample into `folder`: `built`, `skipped` or `failed`. A file appears only when it is whole."""
    language = scaffold.LANGUAGES[SAMPLES[name]]
    print(f"{name}: {language.title}", flush=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".build-") as temporary:
        for path, text in sources(name).items():
            (Path(temporary) / path).write_text(text, "utf-8")
        environment = {"PYTHON": sys.executable, "RULE_TOOLS": str(TOOLS)} | os.environ
        done = subprocess.run(["/bin/sh", Path(temporary) / "build.sh"], check=False, env=environment)
        if done.returncode:
            result = "skipped" if done.returncode == MISSING else "failed"
            print(f"    {result.upper()}: {name}", file=sys.stderr, flush=True)
            return result
        for suffix in (".toml", language.suffix):
            made = Path(temporary) / f"{name}{suffix}"
            if made.exists():
                made.replace(folder / made.name)
    return "built"


def main() -> int:
    """Exit status: 1 if something failed, or was skipped under --strict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: {' '.join(SAMPLES)}")
    parser.add_argument("--strict", action="store_true", help="a language that must be skipped is a failure")
    parser.add_argument("--into", type=Path, default=HERE, help="folder for the modules (default: beside this file)")
    options = parser.parse_args()
    if unknown := set(options.names) - set(SAMPLES):
        parser.error(f"no such sample: {', '.join(sorted(unknown))}")
    options.into.mkdir(parents=True, exist_ok=True)
    results = [build(name, options.into) for name in options.names or SAMPLES]
    print(f"{results.count('built')} built, {results.count('skipped')} skipped, {results.count('failed')} failed")
    return 1 if "failed" in results or (options.strict and "skipped" in results) else 0


if __name__ == "__main__":
    sys.exit(main())
