"""What is said of rules: what each was shown and said, and why the others were not asked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from relived import ABSTAINS, CHEAP, CHEAPEST, READS, TEXT, TRAPS, live, ruled

from core.decision_record import Record
from core.explain import rules
from core.lab.again import inputs_of
from core.routing.snapshot import Snapshot

WISH = "nobody may read this wish"


def shown(record: Record, shot: Snapshot | None) -> dict[str, dict[str, Any]]:
    decision = msgspec.structs.replace(record.decision, asked=record.asked)
    return {line["rule"]: line for line in rules.of_decision(decision, inputs_of(record), shot)}


@pytest.fixture
def mixed(tmp_path: Path) -> Iterator[Snapshot]:
    modules = {"abstains": ABSTAINS, "traps": TRAPS, "routes": CHEAPEST, "later": ABSTAINS}
    order = {name: {"priority": place + 1} for place, name in enumerate(modules)}
    order["later"]["mode"] = "shadow"  # type: ignore[assignment]
    return iter([ruled(tmp_path, modules, order)])


def test_each_rule_in_its_order_with_what_it_said_and_took(mixed: Iterator[Snapshot]) -> None:
    shot = next(mixed)
    found = shown(live(shot), shot)
    assert list(found) == [rule.name for rule in shot.rules.rules]
    assert found["abstains"]["outcome"] == "abstain"
    assert found["traps"]["outcome"] == "trap"
    assert (found["routes"]["outcome"], found["routes"]["route"], found["routes"]["score"]) == ("route", CHEAP, 700)
    for rule in shot.rules.rules:
        if (line := found[rule.name])["asked"]:
            assert line["module"] == rule.sha256
            assert line["fuel"] > 0 or line["outcome"] == "trap"
            assert line["micros"] >= 0
            assert line["shown"]["bytes"] > 10
            assert len(line["shown"]["digest"]) == 16
    unasked = [line for line in found.values() if not line["asked"]]
    assert [line["why"] for line in unasked] == ["rule routes decided"] * len(unasked)
    assert unasked


def test_rules_that_another_phase_left_out_say_which(tmp_path: Path) -> None:
    shot = ruled(tmp_path, {"one": ABSTAINS}, order=["default", "custom", "runtime", "pattern"])
    assert shown(live(shot), shot)["one"] == {
        "rule": "one", "asked": False, "why": "the default phase decided before", "priority": 50,
    } | {"priority": shot.rules.rules[0].settings.priority}  # fmt: skip


def test_what_was_shown_has_a_size_only_where_it_is_still_there(tmp_path: Path) -> None:
    shot = ruled(tmp_path, {"reads": READS, "blind": READS}, {"reads": TEXT})
    with_words = shown(live(shot, last_user=WISH, capture=True), shot)
    without = shown(live(shot, last_user=WISH), shot)
    assert with_words["reads"]["shown"]["bytes"] > len(WISH)
    assert without["reads"]["shown"]["bytes"] is None
    assert without["reads"]["shown"]["digest"] == with_words["reads"]["shown"]["digest"]
    assert without["blind"]["shown"]["bytes"] > 0
    assert (with_words["reads"]["shown"]["text"], with_words["blind"]["shown"]["text"]) == (True, False)
    assert WISH not in str(with_words) + str(without)


def test_without_a_snapshot_there_are_the_rules_that_were_asked(mixed: Iterator[Snapshot]) -> None:
    shot = next(mixed)
    record = live(shot)
    found = shown(record, None)
    assert list(found) == [outcome.rule for outcome in record.asked]
    assert found["routes"]["route"] == CHEAP
