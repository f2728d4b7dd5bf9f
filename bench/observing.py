"""What a request's log line and its trace cost: on the event loop, and in the threads that finish them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from secrets import token_urlsafe
from typing import TypeVar

from bench.decisions import snapshot
from bench.row import Row
from bench.stats import median, milliseconds
from core import log_chain, spans
from core.exchange import Exchange
from core.lab.playing import Player
from core.lab.traffic import generate
from core.log_chain import Finish
from core.logs import LogWriter
from core.otel import Otel, _Over
from core.redaction import NOTHING, Redactor
from core.request_line import log_fields
from core.trace import Tried
from core.traces import Traces
from wasm_host.rule import RuleSet

T = TypeVar("T")
SUITE = "The log (generated traffic, no rules; issue 8: a line costs at most 60 µs)"
TRACES = "Traces (the same requests, to a collector that is not there)"
PARENT = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
BOUND_US = 60.0
#: Keys of clients and providers that no line may hold.
KEYS = 10


class _Nowhere:
    def write(self, data: memoryview, /) -> int:
        return len(data)


def rows(count: int) -> Iterator[Row]:
    """For so many requests."""
    player = Player(snapshot(RuleSet()))
    played = [player.play(sent) for sent in generate(7, count)]
    known = Redactor([token_urlsafe(36) for _ in range(KEYS)])
    front = log_chain.Front(lambda: datetime.now(UTC))
    lines = [front.line(log_fields(one, 0.1), "info") for one in played]
    log = LogWriter(_Nowhere())

    def say(one: Exchange) -> None:
        log.log(log_fields(one, 0.1))

    yield _row("a line on the event loop", partial(_each, say, cycle(played)), count)
    log.close()
    for name, console in (("JSON", False), ("lines for people", True)):
        finish = Finish((known,), console=console, colours=console)
        yield _row(f"and in the writer, as {name}", partial(_each, finish, cycle(lines)), count)

    yield from _traced(played, count)


def _traced(played: list[Exchange], count: int) -> Iterator[Row]:
    """The SDK reads the bench's own environment, which says nothing: spans go to loopback, where nobody listens."""
    off, ignored = Traces({}, lambda *_: None), lambda *_: None
    otel = Otel(named=True, queue=10**9, counted=ignored, failed=ignored)

    def whole(one: Exchange) -> None:
        name, values = spans.opening("POST", one.endpoint, one.request_id)
        trace = otel.begin(PARENT, name, values, 0, onward=False)
        trace.tried.append(Tried(1.0, 0))
        otel._make_request(_Over(trace, 100.0, 0, partial(spans.parts, one, trace, 100.0, {}, NOTHING)))

    begin = partial(otel.begin, PARENT, "POST /v1/messages", {}, 0, onward=False)
    for name, call in (
        ("a request that is not traced", partial(_each, lambda one: off.begin("POST", PARENT, one), cycle(played))),
        ("a traced one, on the event loop", begin),
        ("all of its spans, mostly in a thread", partial(_each, whole, cycle(played))),
    ):
        took = median(milliseconds(call, count)) * 1000
        yield Row(suite=TRACES, name=name, value=took, unit="µs", note=f"median of {count}")
    otel.close(0.1)


def _each(do: Callable[[T], object], values: Iterator[T]) -> None:
    do(next(values))


def _row(name: str, call: Callable[[], object], count: int) -> Row:
    took = median(milliseconds(call, count)) * 1000
    bound = None if "people" in name else BOUND_US
    return Row(suite=SUITE, name=name, value=took, unit="µs", bound=bound, note=f"median of {count}")
