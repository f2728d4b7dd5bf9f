"""Promises with their counters: each of docs/security.md's, and no counter that there is not."""

import pytest
from documents import DOCS, keys
from facts import ROOT

from core.metrics import Metrics
from core.shown_promises import PROMISES, Counter, shown
from core.telemetry import METRICS, RULE_OUTCOMES
from prove.promises import PROMISES as PROVED
from wasm_host import abi

COUNTERS = [(name, counter) for name, (_, counters) in PROMISES.items() for counter in counters]


def test_every_promise_of_the_documentation_is_shown_once_and_in_its_order() -> None:
    assert list(PROMISES) == keys(DOCS / "security.md", "promise")
    assert set(PROMISES) == set(PROVED)


@pytest.mark.parametrize(("name", "counter"), COUNTERS)
def test_every_counter_exists_with_a_label_that_it_has(name: str, counter: Counter) -> None:
    assert counter.metric in METRICS, name
    assert not counter.label or counter.label in counter.metric.labels, name


def test_every_label_says_what_is_really_counted() -> None:
    """A value that no code counts would be a counter that is always good."""
    written = "\n".join(path.read_text() for top in ("core", "wasm_host") for path in (ROOT / top).rglob("*.py"))
    own = (ROOT / "core" / "shown_promises.py").read_text()
    for name, counter in COUNTERS:
        value = counter.value.removeprefix("!")
        if value and not value.isdigit() and counter.metric is not RULE_OUTCOMES:
            assert f'"{value}"' in written.replace(own, ""), (name, value)
        elif value and not value.isdigit():
            assert value in abi.OUTCOMES, (name, value)


def test_what_must_be_zero_and_is_not_is_bad() -> None:
    metrics = Metrics()
    metrics.recorded("written", 5)
    metrics.recorded("lost", 2)
    metrics.reloads.labels("failed").inc(3)

    metrics.worker_exits.labels("crash").inc(2)
    metrics.worker_exits.labels("closed").inc()
    found = {row["name"]: row for row in shown(metrics.samples().of)}
    assert found["kills"]["counters"][0] == {
        "metric": 'terraphim_rule_worker_exits_total{cause!="closed"}',
        "value": 2,
        "must": "any",
        "ok": True,
    }
    assert found["records"]["counters"] == [
        {"metric": 'terraphim_records_total{outcome="written"}', "value": 5, "must": "any", "ok": True},
        {"metric": 'terraphim_records_total{outcome="lost"}', "value": 2, "must": "zero", "ok": False},
    ]
    assert found["reloads"]["counters"][1]["value"] == 3
    assert found["reloads"]["proof"] == "python -m prove --only reloads"
    assert all(each["ok"] for each in found["ledger"]["counters"])
