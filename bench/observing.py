"""What a request's log line costs: on the event loop, and in the thread that writes it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from secrets import token_urlsafe
from typing import TypeVar

from bench.decisions import snapshot
from bench.row import Row
from bench.stats import median, milliseconds
from core import log_chain
from core.exchange import Exchange
from core.lab.playing import Player
from core.lab.traffic import generate
from core.log_chain import Finish
from core.logs import LogWriter
from core.redaction import Redactor
from core.request_line import log_fields
from wasm_host.rule import RuleSet

T = TypeVar("T")
SUITE = "The log (generated traffic, no rules; issue 8: a line costs at most 60 µs)"
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
    front = log_chain.front(lambda: datetime.now(UTC))
    lines = [front.line(log_fields(one, 0.1), "info") for one in played]
    log = LogWriter(_Nowhere())

    def say(one: Exchange) -> None:
        log.log(log_fields(one, 0.1))

    yield _row("a line on the event loop", partial(_each, say, cycle(played)), count)
    log.close()
    for name, console in (("JSON", False), ("lines for people", True)):
        finish = Finish((known,), console=console, colours=console)
        yield _row(f"and in the writer, as {name}", partial(_each, finish, cycle(lines)), count)


def _each(do: Callable[[T], object], values: Iterator[T]) -> None:
    do(next(values))


def _row(name: str, call: Callable[[], object], count: int) -> Row:
    took = median(milliseconds(call, count)) * 1000
    bound = None if "people" in name else BOUND_US
    return Row(suite=SUITE, name=name, value=took, unit="µs", bound=bound, note=f"median of {count}")
