"""A recorded decision beside a candidate's."""

from pathlib import Path

import pytest
from facts import features, run, settings, snapshot
from relived import ABSTAINS, CHEAP, CHEAPEST, CLEVER, live, ruled

from core.decision_record import Record
from core.exchange import Decision, SessionState
from core.lab.compare import Removed, compared, side
from core.routing.decide import decide
from core.routing.snapshot import Snapshot
from wasm_host.answer import Outcome


def decided(shot: Snapshot, outcomes: list[list[Outcome]] | None = None, **facts: object) -> Decision:
    return run(decide(shot, features(**facts), SessionState()), outcomes or [])[0]


@pytest.fixture(scope="module")
def record() -> Record:
    return live(snapshot(settings(default=CLEVER)))


def test_the_same_decision_differs_in_nothing(record: Record) -> None:
    found = compared(record, decided(snapshot(settings(default=CLEVER))))
    assert (found.flipped, found.behind, found.before.by == found.after.by) == (False, False, True)


def test_another_target_is_a_flip(record: Record) -> None:
    found = compared(record, decided(snapshot(settings(default=CHEAP))))
    assert found.flipped
    assert (found.before.target, found.after.target) == (CLEVER, CHEAP)


def test_other_fallbacks_are_told_apart(record: Record) -> None:
    found = compared(record, decided(snapshot(settings(default=CLEVER, fallback=[CHEAP]))))
    assert (found.flipped, found.behind) == (False, True)


def test_a_denial_is_its_rules(tmp_path: Path) -> None:
    shot = ruled(tmp_path, {"one": ABSTAINS, "two": ABSTAINS})
    outcomes = [Outcome(rule="one", code="abstain"), Outcome(rule="two", code="deny", deny_status=402)]
    found = side(decided(shot, [outcomes]), outcomes)
    assert (found.target, found.by, found.refused) == ("refused 402", "rule:two", True)


@pytest.mark.parametrize(
    ("routing", "by"),
    [
        ({"runtime": {"image": CHEAP}}, "image"),
        ({"default": CHEAP, "fallback": [CLEVER]}, "default"),
        ({"default": CLEVER, "fallback": [CHEAP]}, "fallback"),
    ],
)
def test_who_named_what_the_gate_turned_away(routing: dict[str, object], by: str) -> None:
    decision = decided(snapshot(settings(**routing)), images=1, image_in_last_turn=by == "image")
    assert side(decision, ()).removed == {Removed(by, CHEAP, "cannot do images")}


def test_a_rule_is_named_and_figures_are_not(tmp_path: Path) -> None:
    shot = ruled(tmp_path, {"cheap": CHEAPEST}, default=CLEVER, fallback=[], runtime={})
    decision = live(shot, token_count=200_000).decision
    [removed] = side(decision, ()).removed
    assert removed == Removed("rule:cheap", CHEAP, "context window of N tokens is too small for N")


def test_a_concept_is_named() -> None:
    concepts = {"a/frugal.md": f"# Frugal\nroute:: {CHEAP}\nsynonyms:: on the cheap\n"}
    decision = decided(snapshot(settings(default=CLEVER), concepts), last_user="on the cheap", images=1)
    assert side(decision, ()).removed == {Removed("concept:frugal", CHEAP, "cannot do images")}
