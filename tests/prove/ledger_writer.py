"""Writes decision records until it dies: `python -m prove.ledger_writer FOLDER FIRST LIMIT`; see `record_writer`."""

import resource
import signal
import sys
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from core.decision_record import Record, Result
from core.exchange import Candidate, Decision, Features, Inputs, Target
from core.recorder import Recorder
from core.state.ledger import Ledger
from prove.record_writer import BURSTS, PAUSE_S


def record(number: int) -> Record:
    """A record that says its number in several places."""
    features = Features(
        dialect="anthropic", model="auto", stream=True, max_tokens=None, token_count=number, message_count=1, tools=(),
        last_user="", thinking=False, effort="none", web_search=False, images=0, image_in_last_turn=False,
        request_class="", background=False, plan_mode=False, subagent=False, subagent_target="",
        session_id=f"session-{number % 97}", client_key="", agent="",
    )  # fmt: skip
    return Record(
        request_id=f"req_{number}",
        at_ms=number,
        snapshot="f" * 64,
        inputs=Inputs(features),
        decision=Decision("default", "x" * (number % 90), (Candidate(Target("a", "b")),), "f" * 12),
        result=Result(status=200, ms=number % 7),
    )


def acknowledge(records: Sequence[Record]) -> None:
    """A line for each number of a commit that has returned."""
    sys.stdout.write("".join(f"{each.at_ms}\n" for each in records))
    sys.stdout.flush()


def main(folder: str, first: str, limit: str) -> None:
    if int(limit):
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    ledger = Ledger(Path(folder))
    recorder = Recorder(ledger, say=lambda *_: None, counted=lambda *_: None, committed=acknowledge)
    numbers = count(int(first))
    for turn in count():
        for _ in range(BURSTS[turn % len(BURSTS)]):
            recorder.put(record(next(numbers)))
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
