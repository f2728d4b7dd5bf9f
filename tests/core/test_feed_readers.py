import msgspec
import pytest
from fed import SHOT, exchange

from core.errors import RateLimited
from core.feed import Feed
from core.feed_readers import MOST, ROOM, Reader, Readers, event
from core.redaction import Redactor

KNOWN = Redactor(["sk-a-long-secret-of-mine"])


def test_without_readers_the_feed_tells_nobody() -> None:
    feed = Feed(lambda: 0)
    readers = Readers(feed, lambda: KNOWN)
    reader = readers.join(lambda: None)
    other = readers.join(lambda: None)
    assert len(feed.listeners) == 1
    readers.leave(reader)
    readers.leave(other)
    assert (feed.listeners, len(readers)) == ([], 0)


def test_each_reader_hears_what_happens_and_no_secret() -> None:
    feed, woken = Feed(lambda: 0), list[int]()
    readers = Readers(feed, lambda: KNOWN)
    one, two = readers.join(lambda: woken.append(1)), readers.join(lambda: woken.append(2))
    feed.decided(exchange(1, model="sk-a-long-secret-of-mine"), SHOT)
    assert sorted(woken) == [1, 2]
    said = one.take()
    assert two.take() == said
    name, data, *rest = said.decode().split("\n")
    assert (name, rest) == ("event: request", ["", ""])
    shown = msgspec.json.decode(data.removeprefix("data: "))
    assert (shown["state"], shown["requested"]) == ("open", "[redacted]")
    assert one.take() == b""


def test_a_slow_reader_loses_events_and_is_told_how_many() -> None:
    reader = Reader(lambda: None, room=3)
    for number in range(10):
        reader.put(b"%d\n\n" % number)
    assert reader.take() == b"0\n\n1\n\n2\n\n" + event("lost", b'{"count":7}')
    reader.put(b"again\n\n")
    assert reader.take() == b"again\n\n"


def test_there_are_only_so_many() -> None:
    readers = Readers(Feed(lambda: 0), lambda: KNOWN)
    joined = [readers.join(lambda: None) for _ in range(MOST)]
    with pytest.raises(RateLimited):
        readers.join(lambda: None)
    readers.leave(joined[0])
    readers.join(lambda: None)
    assert ROOM >= 100


def test_a_line_feed_in_a_name_ends_no_event() -> None:
    feed = Feed(lambda: 0)
    readers = Readers(feed, lambda: KNOWN)
    reader = readers.join(lambda: None)
    feed.decided(exchange(1, model="x\n\nevent: tick\ndata: {}\n\n\r\u2028"), SHOT)
    assert reader.take().count(b"\n") == 3
