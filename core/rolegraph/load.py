"""A folder of markdown files becomes a Taxonomy. Nothing in the folder can fail a load: it becomes a Problem."""

from collections.abc import Iterable
from pathlib import Path

from core.collector import paused
from core.errors import Problem
from core.rolegraph.model import Taxonomy
from core.rolegraph.parser import parse_concept

#: Bytes. A file of patterns is a few KB; this keeps a stray dump from being read into memory.
MAX_FILE = 1 << 20


def load_taxonomy(folder: Path) -> Taxonomy:
    """Every `*.md` at any depth, but for README.md and hidden ones; problems name paths relative to the folder."""
    files, problems = read_files(folder)
    return build_taxonomy(files, problems)


def build_taxonomy(files: Iterable[tuple[str, str]], problems: Iterable[Problem] = ()) -> Taxonomy:
    """The same from (path, text) pairs, in whatever order they come."""
    with paused():
        parsed = [parse_concept(path, text) for path, text in files]
    concepts = sorted((concept for concept, _ in parsed), key=lambda concept: (concept.name, concept.path))
    found = [*problems, *(problem for _, warnings in parsed for problem in warnings)]
    found.sort(key=lambda problem: (problem.path, problem.line, problem.message))
    return Taxonomy(tuple(concepts), tuple(found))


def read_files(folder: Path) -> tuple[list[tuple[str, str]], list[Problem]]:
    """(path, text) of each file, sorted by path, and what could not be read."""
    if not folder.is_dir():
        return [], [Problem(str(folder), 0, "there is no such folder", "create it, or correct taxonomy.dir")]
    files: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for path in sorted(folder.rglob("*.md")):
        # A file name need not be UTF-8, what is made of it (reasons, the snapshot's id) must be.
        name = path.relative_to(folder).as_posix().encode("utf-8", "replace").decode()
        if path.name == "README.md" or any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        try:
            files.append((name, _read(path)))
        except (OSError, ValueError) as exc:
            problems.append(Problem(name, 0, f"cannot be read: {exc}", "mend or remove the file; it is left out"))
    return files, problems


def _read(path: Path) -> str:
    """OSError, or ValueError (UnicodeDecodeError is one) for what is no text file of a sensible size."""
    if not path.is_file():
        raise ValueError("not a regular file")
    if path.stat().st_size > MAX_FILE:
        raise ValueError(f"more than {MAX_FILE} bytes")
    return path.read_text(encoding="utf-8-sig")
