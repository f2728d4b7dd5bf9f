"""What the page's feed costs a request on the event loop: when nobody looks, and when somebody does."""

from collections.abc import Callable, Iterator
from time import perf_counter_ns

from bench.decisions import played
from bench.row import Row
from bench.stats import median, milliseconds
from core.exchange import Exchange
from core.feed import KEPT, Feed, found
from core.feed_readers import Readers
from core.redaction import NOTHING
from core.routing.snapshot import Snapshot

SUITE = "The page's feed (generated traffic, no rules; the aim: at most 5 µs a request when nobody looks)"
BOUND_US = 5.0


def rows(count: int) -> Iterator[Row]:
    """For so many requests."""
    shot, exchanges = played(count)
    note = f"median of {count}"
    took = _told(Feed(lambda: 1), shot, exchanges)
    yield Row(
        suite=SUITE, name="told twice of a request, nobody looks", value=took, unit="µs", bound=BOUND_US, note=note
    )
    feed = Feed(lambda: 1)
    readers = Readers(feed, lambda: NOTHING)
    reader = readers.join(lambda: None)
    took = _told(feed, shot, exchanges, reader.take)
    yield Row(suite=SUITE, name="the same for a page that watches", value=took, unit="µs", note=note)
    took = median(milliseconds(lambda: found(feed.newest(), KEPT, "client:nobody"), 20, warm=2))
    yield Row(suite=SUITE, name=f"the last {KEPT} searched, in a thread", value=took, unit="ms")


def _told(feed: Feed, shot: Snapshot, exchanges: list[Exchange], after: Callable[[], object] = lambda: None) -> float:
    """Microseconds that a request pays, the median."""
    times = []
    for exchange in exchanges:
        began = perf_counter_ns()
        feed.decided(exchange, shot)
        feed.over(exchange, 0.9, shot)
        times.append((perf_counter_ns() - began) / 1000)
        after()
    return median(times)
