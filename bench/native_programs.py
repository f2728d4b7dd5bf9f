"""The bench's programs in C (`bench/native`): made by gcc when they are needed, and again when a source changes."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

HERE: Final = Path(__file__).parent / "native"
#: Git ignores it.
FOLDER: Final = Path(__file__).parents[1] / ".tools" / "bench"
#: Sources of each program, beside the headers.
PROGRAMS: Final = {
    "mock": ("mock", "conn", "streams", "wanted", "answers", "http", "common"),
    "load": ("load", "run", "answer", "histogram", "http", "common"),
    "percentiles": ("percentiles", "histogram"),
}
#: Sources of what is loaded into a program.
LIBRARIES: Final = {"counting": ("counting",)}
FLAGS: Final = ("-std=c11", "-D_GNU_SOURCE", "-O2", "-g", "-Wall", "-Wextra", "-Werror")
SANITIZERS: Final = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


class NoCompiler(RuntimeError):
    """gcc or libc's headers are missing."""

    def __init__(self) -> None:
        super().__init__("the bench's mock and load generator are written in C: apt-get install gcc libc6-dev")


def program(name: str, *, sanitized: bool = False) -> Path:
    """The executable; `NoCompiler`, or RuntimeError with the compiler's words."""
    return _made(name, PROGRAMS[name], (*FLAGS, *(SANITIZERS if sanitized else ())))


def library(name: str) -> Path:
    """The shared library; raises as `program` does."""
    return _made(name, LIBRARIES[name], (*FLAGS, "-shared", "-fPIC"))


def _made(name: str, parts: tuple[str, ...], flags: tuple[str, ...]) -> Path:
    sources = [HERE / f"{part}.c" for part in parts]
    made = FOLDER / f"{name}-{_digest(sources, flags)}"
    if made.exists():
        return made
    compiler = shutil.which("gcc")
    if compiler is None:
        raise NoCompiler
    FOLDER.mkdir(parents=True, exist_ok=True)
    # Tests compile at the same time: each into a file of its own, which then takes the name.
    with NamedTemporaryFile(dir=FOLDER, prefix=name, delete=False) as file:
        made_here = Path(file.name)
    done = subprocess.run([compiler, *flags, *sources, "-o", made_here, "-lm"], capture_output=True, check=False)
    if done.returncode:
        made_here.unlink()
        raise RuntimeError(f"gcc does not compile {name}:\n{done.stderr.decode(errors='replace')}")
    made_here.chmod(0o755)
    os.replace(made_here, made)  # noqa: PTH105 - the file has another name until it is whole
    return made


def _digest(sources: list[Path], flags: tuple[str, ...]) -> str:
    text = sources + sorted(HERE.glob("*.h"))
    return hashlib.sha256(b"\0".join([*(path.read_bytes() for path in text), *map(str.encode, flags)])).hexdigest()[:16]
