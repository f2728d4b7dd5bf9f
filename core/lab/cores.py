"""Work on many records by all cores: chunks go out to processes, and what came of each comes back in their order.

No more than a few chunks are under way at a time, so memory does not grow with what there is to do.
"""

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing import get_context
from typing import Any, Final, TypeVar

from core.processors import available

Given = TypeVar("Given")
Part = TypeVar("Part")
Made = TypeVar("Made")

#: Records in a chunk: enough to be worth the way, few enough for a progress bar.
CHUNK: Final = 200
#: Chunks under way for each process: one that it works on, and one that waits.
_AHEAD: Final = 2


class ProcessDied(Exception):
    """One of the processes was ended from outside, and what it worked on is lost."""


def chunks(parts: Iterable[Part], size: int = CHUNK) -> Iterator[list[Part]]:
    """The parts in lists of so many."""
    rest = iter(parts)
    while chunk := list(islice(rest, size)):
        yield chunk


def spread(
    begin: Callable[[Given], Callable[[list[Part]], Made]],
    given: Given,
    work: Iterable[list[Part]],
    *,
    cores: int | None = None,
) -> Iterator[Made]:
    """What `begin(given)` makes of each chunk, in order. `begin` is called once in each process, at its first chunk.

    A single chunk is worked on here. `begin`, `given`, chunks and results are pickled; what the work raises is raised
    here, and ProcessDied if a process dies.
    """
    cores = cores or available()
    rest = iter(work)
    first = list(islice(rest, 2))
    if cores == 1 or len(first) < 2:
        work_on = begin(given)
        yield from (work_on(chunk) for chunk in chain(first, rest))
        return
    pool = ProcessPoolExecutor(cores, get_context("spawn"), _prepare, (begin, given))
    under_way: deque[Future[Made]] = deque()
    try:
        for chunk in chain(first, rest):
            under_way.append(pool.submit(_do, chunk))
            if len(under_way) >= _AHEAD * cores:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    except BrokenProcessPool:
        raise ProcessDied(
            f"one of {cores} processes was ended from outside, perhaps for want of memory: try again on fewer cores"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


_begin: list[Any] = []
_work: list[Any] = []


def _prepare(begin: Callable[[Any], Any], given: Any) -> None:
    """In the new process: an interrupt is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _begin[:] = [begin, given]


def _do(chunk: list[Any]) -> Any:
    if not _work:
        begin, given = _begin
        _work.append(begin(given))
    return _work[0](chunk)
