"""What a stream costs between its provider and its client: CPU time, for every pair of dialects.

The streams are the scripted provider's; each event comes as a chunk of its own, as providers send them.
"""

import time
from collections.abc import Iterator, Sequence

from upstream_script import Step

from bench.row import Row, number
from bench.stats import median, spread
from core.dialects import CLIENTS, PROVIDERS
from core.dialects.base import Origin
from core.dialects.relay import Frame, make_relay
from core.lab.traffic.writer import Writer
from core.messages import Message, Request
from prove.translation import WIRES

EVENTS = 200
SUITE = (
    f"Translation, a stream of {EVENTS} events, CPU of the thread (issue 5: 1 ms in the same dialect, 5 ms translated)"
)
SAME_MS, TRANSLATED_MS = 1.0, 5.0
#: Characters of a delta.
PIECE = 12
_ASKED = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}


def rows(runs: int) -> Iterator[Row]:
    """A row a pair."""
    for provider in PROVIDERS:
        chunks = stream(provider)
        for client in CLIENTS:
            samples = [_milliseconds(provider, client, chunks) for _ in range(runs + 20)][20:]
            yield _row(provider, client, samples, sum(map(len, chunks)))


def stream(dialect: str) -> list[bytes]:
    """The events of a text that makes `EVENTS` of them."""
    wire = WIRES[dialect]
    text = Writer(7).prose(EVENTS * PIECE)

    def written(pieces: int) -> list[bytes]:
        step = Step(text=text[: pieces * PIECE], chunk=PIECE)
        return [frame.data for frame in wire.frames(step, dict(_ASKED), 4000)]

    around = len(written(1)) - 1
    chunks = written(EVENTS - around)
    if len(chunks) != EVENTS:
        raise RuntimeError(f"{dialect}: {len(chunks)} events, not {EVENTS}")
    return chunks


def _milliseconds(provider: str, client: str, chunks: Sequence[bytes]) -> float:
    """CPU time of this thread for the whole stream, which must arrive whole."""
    asked = Request(dialect=client, raw=b"{}", model="m", messages=[Message(role="user", content=[])], stream=True)
    frames: list[Frame] = []
    begin = time.thread_time_ns()
    relay = make_relay(Origin(PROVIDERS[provider], "p"), CLIENTS[client], asked)
    for chunk in chunks:
        frames += relay.feed(chunk)
    frames += relay.end()
    spent = (time.thread_time_ns() - begin) / 1e6
    if not relay.complete or frames[-1].kind != "terminal":
        raise RuntimeError(f"{provider} to {client}: {frames[-1]}")
    return spent


def _row(provider: str, client: str, samples: Sequence[float], size: int) -> Row:
    middle = median(samples)
    event, rate = middle * 1000 / EVENTS, size / middle / 1000
    return Row(
        suite=SUITE,
        name=f"{provider} to {client}",
        value=middle,
        unit="ms",
        bound=SAME_MS if provider == client else TRANSLATED_MS,
        spread=spread(samples),
        note=f"{number(event)} µs an event, {number(rate)} MB/s",
        figures={"us_per_event": event, "mb_per_s": rate},
    )
