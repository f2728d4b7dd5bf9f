"""The load generator, `bench/native/load.c`, as a function: what is asked, and what was seen."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bench import children, native_programs

#: Words of every answer of the mock's.
WORDS: Final = 20
#: What an answer's end holds, by dialect and whether it is streamed: the first character comes only once in it.
MARKS: Final = {
    ("anthropic", False): "end_turn",
    ("anthropic", True): "message_stop",
    ("openai", False): "finish_reason",
    ("openai", True): "[DONE]",
}


class Broken(RuntimeError):
    """Answers were not what they should be, so there is no figure."""


class Ask(Struct, frozen=True):
    """Requests, and what every answer to them must hold. `bodies` are files that take turns."""

    path: str
    bodies: Sequence[Path]
    headers: Sequence[str] = ()
    mark: str = ""
    words: int = WORDS


class Window(Struct, frozen=True):
    """When requests are sent, and which answers count; seconds. See `load.c`."""

    seconds: float
    connections: int = 1
    warm: float = 0.0
    stagger: float = 0.0
    least: int = 0
    longest: float = 0.0
    patience: float = 30.0


class Times(Struct, frozen=True):
    """Microseconds; all 0 if `count` is."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: float


class Example(Struct, frozen=True):
    """The first broken answer."""

    verdict: str
    status: int
    body: str


class Seen(Struct, frozen=True):
    """What one run saw. `all` are the answers with those of the warm-up and of the rest; `first_word` is the first of
    the mock's words; `delay` is from the moment at which the mock sent a word to the moment at which it was read.
    """

    answers: int
    seconds: float
    rate: float
    broken: dict[str, int]
    all: int
    all_broken: int
    unfinished: int
    reconnected: int
    latency: Times
    first_byte: Times
    first_word: Times
    delay: Times
    example: Example | None = None


def run(port: int, ask: Ask, window: Window, *, core: int, home: Path) -> Seen:
    """One run on that core, whose answers were all whole; `Broken` if they were not, or if there were none."""
    seen = once(port, ask, window, core=core, home=home)
    if seen.all_broken or seen.unfinished:
        first = seen.example
        example = f"; the first: {first.verdict}, {first.status}: {first.body}" if first else ""
        raise Broken(f"{seen.all_broken} of {seen.all} answers broken, {seen.unfinished} never ended{example}")
    if not seen.answers:
        raise Broken(f"no answer in {seen.seconds:.1f} s")
    return seen


def once(port: int, ask: Ask, window: Window, *, core: int, home: Path, sanitized: bool = False) -> Seen:
    """As `run`, whatever the answers were. RuntimeError with the program's words if it cannot be run so."""
    options = {"path": ask.path, "mark": ask.mark, "words": ask.words} | msgspec.structs.asdict(window)
    command = [
        str(native_programs.program("load", sanitized=sanitized)),
        *(f"--{name}={value}" for name, value in options.items()),
        *(f"--header={header}" for header in ask.headers),
        *(f"--body={file}" for file in ask.bodies),
        str(port),
    ]
    most = window.warm + max(window.seconds, window.longest) + window.patience + 30
    with children.pinned(core):
        done = subprocess.run(command, env=children.environment(home), capture_output=True, timeout=most, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.decode())
    return msgspec.json.decode(done.stdout, type=Seen)


def answers(port: int, ask: Ask, *, core: int, home: Path) -> bool:
    """Whether a server gives whole answers by now: asked once, on one connection."""
    try:
        seen = once(port, ask, Window(0.0, patience=10.0), core=core, home=home)
    except RuntimeError:  # nobody listens
        return False
    return seen.all > 0 and not seen.all_broken
