"""The proofs about clients see a broken promise, and the crowd does what it is called for."""

from collections.abc import Sequence

import pytest

from prove import crowd, drips, never_read, overload
from prove.hostile import Seen

CUT = Seen("mute", never_read.WRITE_S + 1, "")
SLOW = [Seen(kind, drips.DEADLINE_S + 1, "HTTP/1.1 408 Request Timeout\r\n") for kind in ("head", "body")]
TOLD = Seen("idle", 5.0, "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n")


@pytest.mark.parametrize(
    ("seen", "each", "said"),
    [
        ([CUT] * 3, 2048.0, []),
        ([CUT] * 3, 2049.0, ["each costs 2049 KiB"]),
        ([CUT, CUT._replace(lasted=None)], 0.0, ["1 were not cut off"]),
        ([CUT, CUT._replace(lasted=never_read.WRITE_S - 1)], 0.0, ["1 were before it"]),
    ],
)
def test_never_read(seen: Sequence[Seen], each: float, said: list[str]) -> None:
    findings = never_read.judged(seen, each)
    assert len(findings) == len(said)
    assert all(words in finding for words, finding in zip(said, findings, strict=True))


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (SLOW[0], None),
        (SLOW[0]._replace(lasted=None), "dripped on (head)"),
        (SLOW[1]._replace(lasted=1.0), "ended after 1.0 s (body)"),
        (SLOW[1]._replace(answer="HTTP/1.1 200 OK"), "something else than 408 (body)"),
        (SLOW[0]._replace(answer=""), "something else than 408 (head)"),
    ],
)
def test_drips(one: Seen, said: str | None) -> None:
    findings = drips.judged([*SLOW, one])
    assert [said in finding for finding in findings] == [True] * (said is not None)  # type: ignore[operator]


def test_others_that_are_slowed_down() -> None:
    calm = [1.0] * 98 + [2.0, 2.0]
    assert drips.Series(calm, [4.0] * 100).slower() == []
    assert len(drips.Series(calm, [3.0] * 98 + [4.1, 4.1]).slower()) == 1


@pytest.mark.parametrize(
    ("seen", "findings"),
    [
        ([TOLD, TOLD], 0),
        ([TOLD, Seen("idle", 0.1, "")], 0),  # of a mass of them
        ([TOLD, Seen("idle", None, "")], 1),
        ([TOLD, Seen("idle", overload.AT_ONCE_S + 1, "")], 1),
        ([TOLD, TOLD._replace(answer="HTTP/1.1 200 OK\r\n")], 1),
        ([Seen("idle", 0.1, "")], 1),
    ],
)
def test_overload(seen: Sequence[Seen], findings: int) -> None:
    assert len(overload.told(seen, 503)) == findings


def test_a_mute_client_asks_for_what_never_ends() -> None:
    head, _, body = crowd.FIRST["mute"].partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in head
    assert b"ENDLESS" in body
