"""Numbers of several processes together."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import telemetry
from core.metrics.instruments import MAX_SERIES, OTHER
from core.metrics.totals import NONE, Samples, decoded, encoded, folded, merged, samples

COUNTER, HISTOGRAM = telemetry.REQUESTS, telemetry.RULE_SECONDS
WIDTH = len(HISTOGRAM.buckets) + 2


def counted(**statuses: float) -> Samples:
    series = [(("/v1/messages", status[1:]), (number,)) for status, number in statuses.items()]
    return samples({COUNTER.name: series})


def gauge(metric: telemetry.Metric, value: float) -> Samples:
    return samples({metric.name: [(("x",) * len(metric.labels), (value,))]})


def test_counters_of_the_living_and_the_dead_are_added() -> None:
    both = merged(COUNTER, [counted(s200=1, s500=2), counted(s200=10)], counted(s500=100))
    assert both == {("/v1/messages", "200"): (11,), ("/v1/messages", "500"): (102,)}


def test_histograms_are_added_bound_by_bound() -> None:
    one = samples({HISTOGRAM.name: [(("guard",), tuple(map(float, range(WIDTH))))]})
    assert merged(HISTOGRAM, [one, one], one) == {("guard",): tuple(3.0 * number for number in range(WIDTH))}


@pytest.mark.parametrize(
    ("metric", "value"),
    [(telemetry.IN_FLIGHT, 9), (telemetry.TARGET_BREAKER, 5), (telemetry.RULE_HARDENING, 4)],
    ids=["sum", "max", "min"],
)
def test_gauges_are_of_the_living(metric: telemetry.Metric, value: float) -> None:
    assert list(merged(metric, [gauge(metric, 4), gauge(metric, 5)], gauge(metric, 100)).values()) == [(value,)]


def test_one_that_died_is_added_once_and_its_gauges_are_gone() -> None:
    one = samples(counted(s200=3).series | gauge(telemetry.IN_FLIGHT, 4).series)
    dead = folded(NONE, one, "1-a")
    assert folded(dead, one, "1-a") == dead
    dead = folded(dead, one, "1-b")
    assert merged(COUNTER, [], dead) == {("/v1/messages", "200"): (6,)}
    assert dead.folded == ["1-a", "1-b"]
    assert dead.of(telemetry.IN_FLIGHT) == []


def test_names_of_many_years_are_bounded_and_no_count_is_lost() -> None:
    dead = NONE
    for process in range(3):
        series = [(("/v1/messages", f"{process}-{number}"), (1.0,)) for number in range(MAX_SERIES // 2)]
        dead = folded(dead, samples({COUNTER.name: series}), str(process))
    found = merged(COUNTER, [], dead)
    assert len(found) == MAX_SERIES
    assert sum(numbers[0] for numbers in found.values()) == 3 * (MAX_SERIES // 2)
    assert found[(OTHER, OTHER)][0] > 1


def test_what_another_version_means_otherwise_is_left_out() -> None:
    strange = counted(s200=5)
    other = msgspec.structs.replace(strange.shapes[COUNTER.name], labels=("endpoint", "code"))
    strange = msgspec.structs.replace(strange, shapes=strange.shapes | {COUNTER.name: other})
    assert merged(COUNTER, [counted(s200=1), strange], NONE) == {("/v1/messages", "200"): (1,)}


def test_a_file_holds_it_all() -> None:
    one = folded(NONE, counted(s200=0.1 + 0.2), 'a"\n\u2028')
    assert decoded(encoded(one)) == one


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"shapes":{},"series":{"x":[[[],[1]]]}}',
        b'{"shapes":{"x":["counter",["a"],[]]},"series":{"x":[[[],[1]]]}}',
        b'{"shapes":{"x":["counter",[],[]]},"series":{"x":[[[],[1,2]]]}}',
        b'{"shapes":{"x":["histogram",[],[1]]},"series":{"x":[[[],[1,2]]]}}',
        b'{"shapes":{},"series":{"x":"y"}}',
    ],
)
def test_a_file_of_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whatever it says
        decoded(data)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 2**40)), max_size=5), st.data())
def test_the_sum_is_the_same_whoever_lives(processes: list[dict[str, int]], data: st.DataObject) -> None:
    every = [samples({COUNTER.name: [(("e", name), (float(n),)) for name, n in one.items()]}) for one in processes]
    dead, living = NONE, []
    for number, one in enumerate(every):
        if data.draw(st.booleans()):
            dead = folded(dead, one, str(number))
        else:
            living.append(one)
    assert merged(COUNTER, living, dead) == merged(COUNTER, every, NONE)
