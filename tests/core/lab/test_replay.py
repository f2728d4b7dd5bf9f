"""What is said of a record that is decided again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from facts import settings, snapshot
from relived import ABSTAINS, CHEAP, CHEAPEST, CONCEPTS, READS, TEXT, live, ruled

from core.decision_record import Record, canonical
from core.exchange import Decision, SessionState, TargetState, Warm
from core.lab import replay as replaying
from core.lab.drivers import BY_MACHINE, BY_WORDS
from core.lab.replay import Replay, replay
from core.routing.snapshot import Snapshot
from wasm_host.sandbox import Sandbox

HOME = "anthropic,claude-sonnet-4-6"
STAYS = SessionState(3, HOME, 40_000, 39_000, HOME, 500, (Warm(HOME, 39_000, 1_000),))
Shots = dict[str, Snapshot]


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory, box: Sandbox) -> Shots:
    """Without rules, and with some that read, see and abstain."""
    folder = tmp_path_factory.mktemp("rules")
    operator: dict[str, Any] = {
        "a-reads": TEXT,
        "b-sees": {"input": ["targets", "session", "client", "scenario"], "grant": ["session"]},
    }
    modules = {"a-reads": READS, "b-sees": READS, "c-routes": CHEAPEST}
    found = {"none": snapshot(settings(), CONCEPTS), "some": ruled(folder, modules, operator)}
    found["shadow"] = ruled(folder, modules, operator | {"c-routes": {"mode": "shadow"}})
    box.load(found["some"].rules.rules)
    return found


def told(record: Record, shot: Snapshot, box: Sandbox, **more: Any) -> Replay:
    return replay(record, shot, box, **more)


CASES: list[dict[str, Any]] = [
    {},
    {"last_user": "do it on the cheap"},
    {"model": "openai,gpt-55"},
    {"model": "openai,gpt-5-mini", "images": 1, "max_tokens": 10**30},
    {"effort": "high", "token_count": 70_000, "counted": 60_000, "token_factor": 7 / 6},
    {"last_user": "on the cheap", "token_count": 41_000, "now_ms": 2_000, "session": STAYS},
    {"states": {HOME: TargetState(healthy=False, p50_ms=812, budget_left=7)}, "factors": {"gpt-5-mini": 1.1}},
    {"allowed": ("openai,*",), "client_key": "laptop", "web_search": True, "only_web_search": True},
    {"last_user": "Größe 🚀 \u2028 on the cheap", "tools": ("Bash", "🚀"), "agent": "claude-code"},
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rules", ["none", "some", "shadow"])
def test_with_the_words_that_rules_read_every_record_is_equal(
    case: dict[str, Any], rules: str, shots: Shots, box: Sandbox
) -> None:
    record = live(shots[rules], capture=True, **case)
    found = told(record, shots[rules], box)
    looked = record.decision.phase in ("pattern", "default")
    assert found.verdict == ("partial" if rules == "none" and looked else "equal"), (found.differences, found.why)
    assert found.recorded == found.replayed == canonical(record.decision)
    assert found.digests[0] == found.digests[1]


@pytest.mark.parametrize("case", CASES)
def test_without_them_none_differs(case: dict[str, Any], shots: Shots, box: Sandbox) -> None:
    record = live(shots["shadow"], **case)
    found = told(record, shots["shadow"], box)
    assert not found.differences
    parts = [("rule a-reads", BY_WORDS)] if record.asked else []
    parts += [("the pattern phase", BY_WORDS)] if record.decision.phase in ("pattern", "default") else []
    assert found.taken == tuple(parts)
    assert found.verdict == ("partial" if parts else "equal")


def changed(record: Record, where: str, value: Any) -> Record:
    """The record with another value at a path of names and numbers."""
    plain = msgspec.to_builtins(record)
    *path, last = [int(part) if part.isdigit() else part for part in where.split("/")]
    place = plain
    for part in path:
        place = place[part]
    place[last] = value
    return msgspec.convert(plain, Record)


@pytest.mark.parametrize(
    ("where", "value", "phase", "what"),
    [
        ("inputs/features/model", "openai,gpt-5-mini", "explicit", "step 1"),
        ("inputs/features/effort", "max", "custom", "step 2"),
        ("inputs/features/token_count", 101, "custom", "rule c-routes: seen"),
        ("asked/0/fuel", 1, "custom", "rule a-reads: fuel"),
        ("asked/1/seen", "0" * 16, "custom", "rule b-sees: seen"),
        ("asked/2/code", "abstain", "custom", "rule c-routes: code"),
        ("asked/2/score", 3, "custom", "rule c-routes: score"),
        ("asked/2/tags", {"a": "b"}, "custom", "rule c-routes: tags"),
        ("asked/2/pages", 99, "custom", "rule c-routes: pages"),
        ("decision/trace/2/detail/fuel", 1, "custom", "step 3"),
        ("decision/reason", "concept:other", "pattern", "reason"),
        ("decision/score", 3, "pattern", "score"),
        ("decision/tags", {"a": "b"}, "pattern", "tags"),
        ("decision/candidates/0/tokens", 3, "pattern", "candidates"),
        ("decision/scenarios", ["image"], "pattern", "scenarios"),
        ("decision/snapshot", "0" * 12, "pattern", "snapshot"),
        ("matches/0/score", 3, "pattern", "what the human's words name"),
        ("words/last_user", "do it on the cheaq", "custom", "rule a-reads: seen"),
    ],
)
def test_the_first_phase_that_differs_is_named(
    where: str, value: Any, phase: str, what: str, shots: Shots, box: Sandbox
) -> None:
    record = live(shots["shadow"], capture=True, last_user="do it on the cheap")
    assert told(record, shots["shadow"], box).verdict == "equal"
    found = told(changed(record, where, value), shots["shadow"], box)
    assert (found.verdict, found.differences[0].phase, found.differences[0].what) == ("differs", phase, what)
    assert (found.digests[0] == found.digests[1]) == where.startswith(("asked", "matches"))


def test_every_part_of_a_decision_is_compared() -> None:
    assert {*replaying._REST, "trace", "asked", "matches"} == set(Decision.__struct_fields__)


def test_a_rule_that_was_never_asked(shots: Shots, box: Sandbox) -> None:
    record = live(shots["some"], capture=True)
    found = told(msgspec.structs.replace(record, asked=record.asked[:2]), shots["some"], box)
    assert [each.what for each in found.differences] == ["rule c-routes was asked"]


def test_what_is_needed_after_another_way_was_taken_is_no_excuse(shots: Shots, box: Sandbox) -> None:
    """Another answer of a rule leads to one that was not asked, whose words are not there."""
    record = live(shots["some"])
    early = msgspec.structs.replace(record.asked[1], code="route", route=CHEAP)
    record = msgspec.structs.replace(record, asked=(early,))
    rules = shots["some"].rules
    order = sorted(rules.rules, key=lambda rule: "bac".index(rule.name[0]))
    shot = snapshot(shots["some"].settings, CONCEPTS, msgspec.structs.replace(rules, rules=tuple(order)))
    found = told(record, shot, box)
    assert (found.verdict, found.differences[0].what) == ("differs", "rule b-sees: code")


def test_what_depended_on_the_machine_is_an_input(shots: Shots, box: Sandbox) -> None:
    record = live(shots["some"], capture=True)
    late = msgspec.structs.replace(record.asked[2], code="timeout", route="", score=None, reason="", message="late")
    found = told(msgspec.structs.replace(record, asked=(*record.asked[:2], late)), shots["some"], box)
    assert found.taken == (("rule c-routes", BY_MACHINE),)


def test_what_cannot_be_replayed_says_why(shots: Shots, box: Sandbox, tmp_path: Path) -> None:
    record = live(shots["none"], last_user="on the cheap")
    newer = msgspec.structs.replace(record, version=99)
    assert told(newer, shots["none"], box).why == "the record is of version 99, this proxy reads 1"
    other = snapshot(settings())
    found = told(record, shots["none"], box, by=other)
    assert (found.verdict, found.why) == ("not_replayable", "words that were not captured: the pattern phase")
    foreign = changed(record, "matches/0/path", "no/such.md")
    assert "the record is damaged: KeyError" in told(foreign, shots["none"], box).why
    alone = ruled(tmp_path, {"one": ABSTAINS, "other": CHEAPEST})
    found = told(live(alone), alone, box)
    assert (found.verdict, found.why.partition(":")[0]) == ("not_replayable", "rule one")


def test_another_snapshot_on_purpose(shots: Shots, box: Sandbox) -> None:
    record = live(shots["shadow"], capture=True, last_user="do it on the cheap")
    found = told(record, shots["shadow"], box, by=shots["some"])
    assert found.verdict == "differs"
    assert (found.differences[0].phase, found.decision and found.decision.reason) == ("custom", "rule:c-routes")
    twin = snapshot(
        settings(fallback=["openrouter,some/other"], order=["custom", "runtime", "pattern", "default"]),
        CONCEPTS,
        shots["shadow"].rules,
    )
    explicit = live(shots["shadow"], capture=True, model="openai,gpt-55x")
    assert twin.id != shots["shadow"].id
    assert told(explicit, shots["shadow"], box, by=twin).verdict == "equal"
