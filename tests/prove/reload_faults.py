"""Files that cannot be used, of each kind that a reload reads."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

Texts = Mapping[Path, str]


class Fault(NamedTuple):
    """`file` is the name that is to be said; `make` breaks it."""

    name: str
    file: str
    make: Callable[[Path, Texts], None]


def _write(place: str, content: Callable[[str], bytes]) -> Callable[[Path, Texts], None]:
    def make(folder: Path, texts: Texts) -> None:
        path = folder / place
        path.write_bytes(content(texts.get(path, "")))

    return make


def _others_may_write(place: str) -> Callable[[Path, Texts], None]:
    return lambda folder, _: (folder / place).chmod(0o666)


def _pipe(folder: Path, _: Texts) -> None:
    os.mkfifo(folder / "taxonomy" / "broken.md")


def _link(folder: Path, _: Texts) -> None:
    (folder / "plugins" / "broken.wat").symlink_to(folder / "plugins" / "which.wat")


def _slowly(folder: Path, texts: Texts) -> None:
    """Half a file, and never the rest."""
    path = folder / "config.toml"
    text = texts[path]
    with path.open("w") as file:
        file.write(text[: len(text) // 2])
        file.flush()
        file.write("\n[providers.half\n")


_CONFIG, _RULE, _CONCEPT = "config.toml", "plugins/which.wat", "taxonomy/broken.md"
FAULTS: Final = (
    Fault("config truncated", "config.toml", _write(_CONFIG, lambda text: text.rstrip()[:-1].encode())),
    Fault("rule truncated", "which.wat", _write(_RULE, lambda text: text[: len(text) // 2].encode())),
    Fault("concept out of range", "broken.md", _write(_CONCEPT, lambda _: b"# B\npriority:: 900\n")),
    Fault("config half-written", "config.toml", _slowly),
    Fault("rule garbage", "broken.wasm", _write("plugins/broken.wasm", lambda _: b"\0asm\1\0\0\0garbage")),
    Fault("concept unreadable", "broken.md", _write(_CONCEPT, lambda _: b"# \xff\xfe\n")),
    Fault("config with an unknown key", "config.toml", _write(_CONFIG, lambda text: f"{text}nonsense = 1\n".encode())),
    Fault("manifest no TOML", "which.wat", _write("plugins/which.toml", lambda _: b"priority = \n")),
    Fault("concept a pipe", "broken.md", _pipe),
    Fault("config that others may write", "config.toml", _others_may_write(_CONFIG)),
    Fault("rule that others may write", "which.wat", _others_may_write(_RULE)),
    Fault("config empty", "config.toml", _write(_CONFIG, lambda _: b"")),
    Fault("rule a link", "broken.wat", _link),
    Fault("config no text", "config.toml", _write(_CONFIG, lambda _: b"\xff\xfe\0")),
    Fault("rule no text", "broken.wat", _write("plugins/broken.wat", lambda _: b"\xff(module")),
)
