"""Numbers, and who may change them."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.metrics import instruments
from core.metrics.instruments import MAX_SERIES, OTHER, Instruments
from core.telemetry import Metric

PLAIN = Metric("one", "counter", "One.")
LABELLED = Metric("two", "counter", "Two.", ("a", "b"))
SIZES = Metric("three", "histogram", "Three.", ("a",), buckets=(1, 10))


def test_a_counter_without_labels_is_there_from_the_start() -> None:
    counter = Instruments().counter(PLAIN)
    assert counter.read() == [((), (0,))]
    counter.inc()
    counter.inc(2.5)
    assert counter.read() == [((), (3.5,))]


def test_each_set_of_labels_has_its_own_number() -> None:
    counter = Instruments().counter(LABELLED)
    assert counter.read() == []
    counter.labels("x", "y").inc()
    counter.labels("x", "z").inc(2)
    counter.labels("x", "y").inc()
    assert dict(counter.read()) == {("x", "y"): (2,), ("x", "z"): (2,)}
    with pytest.raises(ValueError, match="labels"):
        counter.labels("x")


def test_a_gauge_goes_both_ways_and_can_ask_somebody() -> None:
    gauge, asked = Instruments().gauge(Metric("g", "gauge", "G.")), [7]
    gauge.set(3)
    gauge.dec()
    assert gauge.read() == [((), (2,))]
    gauge.set_function(lambda: asked[0])
    asked[0] = 9
    assert gauge.read() == [((), (9,))]


def test_series_can_be_forgotten() -> None:
    gauge = Instruments().gauge(Metric("g", "gauge", "G.", ("a",)))
    for name in "xyz":
        gauge.labels(name).set(1)
    gauge.remove("x")
    assert [labels for labels, _ in gauge.read()] == [("y",), ("z",)]
    with pytest.raises(KeyError):
        gauge.remove("x")


def test_who_reads_while_series_are_replaced_finds_all_of_them() -> None:
    seen: list[int] = []

    def admit(_: Metric, __: str, value: str) -> str:
        seen.append(len(gauge))
        return value

    gauge = Instruments(admit).gauge(Metric("g", "gauge", "G.", ("a",)))
    gauge.replace({(name,): 1 for name in "xyz"})
    gauge.replace({(name,): 2 for name in "yzw"})
    assert seen == [0] * 3 + [3] * 3
    assert gauge.read() == [(("y",), (2,)), (("z",), (2,)), (("w",), (2,))]
    gauge.replace({})
    assert gauge.read() == []


def test_series_that_are_replaced_have_an_end_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instruments, "MAX_SERIES", 3)
    gauge = Instruments().gauge(Metric("g", "gauge", "G.", ("a",)))
    gauge.replace({(str(number),): number for number in range(9)})
    assert [labels for labels, _ in gauge.read()] == [("0",), ("1",), ("2",), (OTHER,)]


@pytest.mark.parametrize(("value", "counts"), [(0.5, (1, 0, 0)), (1, (1, 0, 0)), (1.1, (0, 1, 0)), (11, (0, 0, 1))])
def test_an_observation_belongs_below_its_upper_bound(value: float, counts: tuple[int, ...]) -> None:
    histogram = Instruments().histogram(SIZES)
    histogram.labels("x").observe(value)
    assert histogram.read() == [(("x",), (value, *counts))]


def test_what_is_sorted_already_is_added() -> None:
    histogram = Instruments().histogram(SIZES)
    histogram.labels("x").observe(5)
    histogram.labels("x").add([1, 2, 3], 60)
    assert histogram.read() == [(("x",), (65, 1, 3, 3))]


def test_labels_are_admitted_once_and_what_is_not_is_counted_together() -> None:
    asked = []

    def admit(metric: Metric, label: str, value: str) -> str:
        asked.append((metric.name, label, value))
        return value if value == "known" else OTHER

    counter = Instruments(admit).counter(LABELLED)
    for value in ("known", "known", "strange", "stranger"):
        counter.labels("known", value).inc()
    assert dict(counter.read()) == {("known", "known"): (2,), ("known", OTHER): (2,)}
    assert asked.count(("two", "b", "known")) == 1


def test_a_metric_has_an_end() -> None:
    counter = Instruments().counter(Metric("one", "counter", "One.", ("a",)))
    for number in range(MAX_SERIES + 1000):
        counter.labels(str(number)).inc()
    assert len(counter) == MAX_SERIES + 1
    assert dict(counter.read())[(OTHER,)] == (1000,)


def test_threads_lose_nothing() -> None:
    make = Instruments()
    counter, histogram = make.counter(LABELLED), make.histogram(SIZES)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:

        def count(_: int) -> None:
            for number in range(2000):
                counter.labels("x", str(number % 3)).inc()
                histogram.labels("x").observe(number)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(count, range(4)))
    finally:
        sys.setswitchinterval(before)
    assert sum(numbers[0] for _, numbers in counter.read()) == 8000
    assert sum(histogram.read()[0][1][1:]) == 8000


def test_what_is_not_admitted_any_more_is_counted_under_what_stands_for_it() -> None:
    names = {"a", "b", "c"}
    make = Instruments(lambda _, label, value: value if label != "name" or value in names else OTHER)
    open_ = {"name": "rule"}
    counter = make.counter(Metric("one", "counter", "One.", ("name", "kind"), open_))  # type: ignore[arg-type]
    sizes = make.histogram(Metric("two", "histogram", "Two.", ("name",), open_, (1, 10)))  # type: ignore[arg-type]
    levels = make.gauge(Metric("three", "gauge", "Three.", ("name",), open_))  # type: ignore[arg-type]
    for at, name in enumerate("abcx", 1):
        counter.labels(name, "k").inc(at)
        sizes.labels(name).observe(at)
        levels.labels(name).set(at)
    counter.labels("a", "l").inc(100)
    names.remove("a")
    make.fold()
    assert dict(counter.read()) == {("b", "k"): (2,), ("c", "k"): (3,), (OTHER, "k"): (5,), (OTHER, "l"): (100,)}
    assert dict(sizes.read()) == {("b",): (2, 0, 1, 0), ("c",): (3, 0, 1, 0), (OTHER,): (5, 1, 1, 0)}
    assert dict(levels.read()) == {("b",): (2,), ("c",): (3,), (OTHER,): (4,)}
    make.fold()
    counter.labels("a", "k").inc()
    assert dict(counter.read())[(OTHER, "k")] == (6,)


def test_who_reads_while_series_are_folded_finds_each_count_once() -> None:
    names = {"first", "gone"}
    make = Instruments(lambda _, __, value: value if value in names else OTHER)
    counter = make.counter(Metric("one", "counter", "One.", ("name",), {"name": "rule"}))
    folding = threading.Thread(target=make.fold)

    def ask() -> float:
        names.discard("gone")
        folding.start()
        folding.join(0.2)  # as far as it gets: not to the end, for somebody reads
        return 0

    counter.labels("first").set_function(ask)
    counter.labels("gone").inc(5)
    counter.labels(OTHER).inc(1)
    assert dict(counter.read()) == {("first",): (0,), ("gone",): (5,), (OTHER,): (1,)}
    folding.join(10)
    counter.labels("first").set_function(lambda: 0)
    assert dict(counter.read()) == {("first",): (0,), (OTHER,): (6,)}
