from contextlib import ExitStack

import pytest

from core.admission import MIB, Admission
from core.errors import Overloaded
from core.refusals import Tally
from core.schema import ServerSettings


def room(requests: int = 2, watermark: int = 0) -> tuple[Admission, list[str]]:
    refused: list[str] = []
    admission = Admission(Tally(refused.append))
    admission.use(ServerSettings(max_in_flight=requests), watermark)
    return admission, refused


def test_the_request_over_the_cap_is_told_to_come_back_and_takes_no_room() -> None:
    admission, refused = room()
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(admission)
        with pytest.raises(Overloaded, match=r"server\.max_in_flight") as caught, admission:
            pass
        assert caught.value.headers == {"retry-after": "1"}
        assert (admission.in_flight, refused) == (2, ["max_in_flight"])
    with admission:
        assert admission.in_flight == 1
    assert admission.in_flight == 0


def test_a_request_that_fails_gives_its_room_back() -> None:
    admission, _ = room()
    with pytest.raises(ZeroDivisionError), admission:
        raise ZeroDivisionError
    assert admission.in_flight == 0


def test_high_memory_refuses_what_is_new_and_what_grows_but_never_the_only_request() -> None:
    admission, refused = room(10, 100 * MIB)
    assert admission.weigh(101 * MIB)
    admission.check()
    with admission.arriving:
        admission.check_growth()
        with pytest.raises(Overloaded, match="over 100 MiB are in use"):
            admission.check()
    with admission:
        with pytest.raises(Overloaded), admission:
            pass
        with admission.arriving, pytest.raises(Overloaded):
            admission.check_growth()
    assert refused == ["max_memory_mb"] * 3
    assert (admission.in_flight, admission.arriving.count) == (0, 0)


def test_slow_bodies_take_no_room_from_whole_requests() -> None:
    admission, _ = room(1)
    with admission.arriving, admission.arriving, admission:
        assert (admission.in_flight, admission.arriving.count) == (1, 2)


def test_an_episode_begins_above_the_watermark_and_ends_well_below() -> None:
    admission, _ = room(10, 100 * MIB)
    sizes = (100, 101, 120, 99, 96, 95, 99, 100, 101)
    assert [(admission.weigh(size * MIB), admission.high) for size in sizes] == [
        (False, False), (True, True), (False, True), (False, True), (False, True), (True, False), (False, False),
        (False, False), (True, True),
    ]  # fmt: skip


def test_without_a_watermark_memory_is_never_high() -> None:
    admission, _ = room(10, 0)
    assert not admission.weigh(1 << 50)
    assert not admission.high
