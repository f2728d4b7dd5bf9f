"""A pause of Python's cyclic collector, while much is made that stays.

Every few hundred new objects the collector looks for cycles among them, and again and again among all there are: who
makes a hundred thousand patterns, none of which is garbage, pays for it out of proportion, and so do all other threads,
which stand still meanwhile. The collector is the process's, not a thread's: during a pause nobody's cycles are freed.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
#: How many pauses there are now.
_pauses = 0
_was_on = False


@contextmanager
def paused() -> Iterator[None]:
    """No collections in this block. Pauses of several threads and pauses within pauses last until the last one ends;
    a collector that was off before stays off.
    """
    _begin()
    try:
        yield
    finally:
        _end()


def _begin() -> None:
    global _pauses, _was_on  # noqa: PLW0603  # as the collector itself, there is one for the process
    with _lock:
        if not _pauses:
            _was_on = gc.isenabled()
            gc.disable()
        _pauses += 1


def _end() -> None:
    global _pauses  # noqa: PLW0603  # see above
    with _lock:
        _pauses -= 1
        if not _pauses and _was_on:
            gc.enable()
