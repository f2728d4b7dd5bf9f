from collections import Counter

import pytest
from upstream import Upstream

from prove.smuggling import Received, judge, sent, ways
from prove.smuggling_probes import HIDDEN, LIVE, WORD, Due, probes

OK, NO = b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    ("due", "data", "closed"),
    [
        (Due.REFUSED, NO, True),
        (Due.REFUSED, b"", True),
        (Due.REFUSED, CONTINUE + NO, True),
        (Due.UNFINISHED, b"", False),
        (Due.UNFINISHED, NO, False),
        (Due.BODY, NO, True),
        (Due.BODY, NO + OK + LIVE, True),
        (Due.SERVED, OK + OK + WORD + OK + LIVE, True),
        (Due.SERVED, CONTINUE + OK + OK + WORD + OK + LIVE, True),
    ],
)
def test_what_is_right(due: Due, data: bytes, closed: bool) -> None:
    assert judge(due, Received(data, closed)) == ""


@pytest.mark.parametrize(
    ("due", "data", "closed", "said"),
    [
        (Due.REFUSED, NO + OK + WORD, True, "hidden request is answered (400 200)"),
        (Due.REFUSED, NO + NO, True, "answered 400 400"),
        (Due.REFUSED, OK, True, "answered 200"),
        (Due.REFUSED, NO, False, "left open after 400"),
        (Due.REFUSED, b"", False, "left open after nothing"),
        (Due.REFUSED, NO + OK + LIVE, True, "answered 400 200"),
        (Due.UNFINISHED, OK, False, "answered 200"),
        (Due.BODY, NO + OK + WORD, True, "hidden"),
        (Due.BODY, OK + OK + LIVE, True, "answered 200"),
        (Due.BODY, NO + OK, True, "answered 400 200"),
        (Due.SERVED, OK + OK + LIVE, True, "not three times 200"),
        (Due.SERVED, NO, True, "answered 400, not three"),
    ],
)
def test_what_is_not(due: Due, data: bytes, closed: bool, said: str) -> None:
    assert said in judge(due, Received(data, closed))


def test_a_careless_server_is_found_out(upstream: Upstream) -> None:
    """The fake provider reads what it likes."""
    wrong = Counter(
        bool(judge(probe.due, sent(upstream.port, [probe.data], patience_s=0.05)))
        for probe in probes()
        if probe.due is Due.REFUSED and probe.name.startswith(("host", "length: a"))
    )
    assert wrong[True] > 10


def test_the_probes_are_many_and_of_their_own_names() -> None:
    names = [probe.name for probe in probes()]
    assert len(names) == len(set(names)) > 180
    assert all(HIDDEN in probe.data for probe in probes() if probe.due is not Due.UNFINISHED)


def test_every_way_is_the_same_bytes() -> None:
    found = list(ways(b"abcdef", 2))
    assert found[:2] == [[b"abcdef"], [b"a", b"b", b"c", b"d", b"e", b"f"]]
    assert [len(parts[0]) for parts in found[2:]] == [1, 3, 5]
    assert all(b"".join(parts) == b"abcdef" for parts in found)
