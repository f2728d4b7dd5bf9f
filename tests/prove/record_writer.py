"""Writes usage records until it dies: `python -m prove.record_writer FILE FIRST LIMIT`.

Rows are numbered from FIRST; a line on stdout acknowledges those of each commit that has returned. With a LIMIT, the
process dies in the middle of the write that would make a file larger than so many bytes: what lies below is written.
"""

import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Final

from core.exchange import Exchange
from core.recorder import Recorder
from core.records import Row, Rows, row_of

#: Rows that are put at once: some commits are of a few, others full.
BURSTS: Final = (1, 3, 300, 20, 700)
#: So that the queue is never full (s).
PAUSE_S: Final = 0.01


def row(number: int) -> Row:
    """A row that says its number in several places."""
    exchange = Exchange(f"req_{number}", "/v1/messages", "anthropic", began_ms=number)
    return row_of(exchange, 0)._replace(input=number, reason="x" * (number % 90))


def acknowledge(rows: Sequence[Row]) -> None:
    os.write(1, "".join(f"{each.input}\n" for each in rows).encode())


def main(file: str, first: str, limit: str) -> None:
    if int(limit):
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    recorder = Recorder(Rows(Path(file)), say=lambda *_: None, counted=lambda *_: None, committed=acknowledge)
    numbers = count(int(first))
    for turn in count():
        for _ in range(BURSTS[turn % len(BURSTS)]):
            recorder.put(row(next(numbers)))
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
