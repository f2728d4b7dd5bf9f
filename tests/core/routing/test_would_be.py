"""What a shadow would have decided, cheaply: compared with the whole decision made again."""

import random
from collections import Counter
from typing import Any

import pytest
from facts import ROOT, features, run, settings, snapshot

from core.decision_record import canonical, record_of
from core.exchange import Exchange, Features, Inputs, SessionState
from core.lab.drivers import drive
from core.lab.enforce import enforced
from core.routing.decide import decide
from core.routing.proposal import Ask
from core.routing.snapshot import Snapshot
from core.routing.would_be import would_decide, would_differ
from wasm_host.answer import Outcome
from wasm_host.registry import load_rules

NAMES = ("a", "b", "c")
ORDERS = (["runtime", "custom", "default"], ["custom", "pattern", "default"], ["pattern", "custom", "default"])
CONCEPTS = {"frugal.md": "# Frugal\nroute:: deepseek, deepseek-chat\nsynonyms:: on the cheap\n"}


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> list[Snapshot]:
    """Three rules, of which `b` is in shadow, in different orders of the phases."""
    folder = tmp_path_factory.mktemp("plugins")
    for name in NAMES:
        (folder / f"{name}.wat").write_text((ROOT / "plugins" / "wasm-demo.wat").read_text())
    rules = load_rules(folder, {"b": {"mode": "shadow"}}, cache=tmp_path_factory.mktemp("cache"))
    return [snapshot(settings(order=order), CONCEPTS, rules) for order in ORDERS]


def facts_of(rng: random.Random) -> Features:
    return features(
        model=rng.choice(["auto", "auto", "openai,gpt-5"]),
        last_user=rng.choice(["hello", "do it on the cheap"]),
        images=rng.choice([0, 0, 2]),
        tools=rng.choice([(), ("Read",)]),
        token_count=rng.choice([100, 150_000, 900_000]),
        allowed=rng.choice([(), (), ("openai,*", "anthropic,*")]),
        thinking=rng.random() < 0.3,
    )


def answer(rng: random.Random, rule: str, targets: list[str]) -> Outcome:
    fields: dict[str, Any] = {"rule": rule, "shadow": rule == "b"}
    code = rng.choice(["route", "route", "route", "abstain", "deny", "trap"])
    if code == "route":
        fields["route"] = rng.choice(targets)
    if code == "deny" or (code == "trap" and rng.random() < 0.5):
        fields |= {"deny_status": 403, "deny_message": "no"}
    return Outcome(code=code, **fields)


def live(shot: Snapshot, facts: Features, rng: random.Random) -> Exchange:
    """A decision with random answers, as the pipeline leaves it."""
    targets = sorted(shot.target_names)
    answers = {name: answer(rng, name, targets) for name in NAMES}

    def said(ask: Ask) -> list[Outcome]:
        """Up to the first that decides, as a host does."""
        found = [answers[rule.name] for rule in ask.rules]
        last = next((number for number, outcome in enumerate(found, 1) if outcome.decides), len(found))
        return found[:last]

    decision = drive(decide(shot, facts, SessionState()), said)
    return Exchange("req_1", "/v1/messages", "anthropic", inputs=Inputs(facts), decision=decision)


def test_it_is_what_the_decision_made_again_says(shots: list[Snapshot]) -> None:
    rng = random.Random(11)  # noqa: S311 - reproducible on purpose
    seen: Counter[tuple[bool, bool, bool]] = Counter()
    for _ in range(3000):
        shot, facts = rng.choice(shots), facts_of(rng)
        exchange = live(shot, facts, rng)
        record, decision = record_of(exchange, shot, 1.0, capture=False), exchange.decision
        assert record is not None
        assert decision is not None
        for outcome in decision.asked:
            if not outcome.shadow:
                continue
            whole = enforced(record, shot, "b")
            would = would_decide(shot, Inputs(facts), outcome)
            differs = would and would_differ(outcome, decision)
            by_it = whole.reason == "rule:b" or (whole.refusal is not None and outcome.deny_status != 0)
            assert (would, differs) == (by_it, whole.target != decision.target)
            seen[would, differs, decision.refusal is None] += 1
    assert {(True, True, True), (True, False, True), (False, False, True), (True, True, False)} <= seen.keys()
    assert min(seen.values()) > 3


def test_looking_changes_nothing_of_the_decision(shots: list[Snapshot]) -> None:
    facts = features(images=1, tools=("x",))
    routed = Outcome(rule="b", code="route", route="deepseek,deepseek-chat", shadow=True)
    outcomes = [[Outcome(rule="a", code="abstain"), routed, Outcome(rule="c", code="abstain")]]
    decision, _ = run(decide(shots[0], facts, SessionState()), outcomes)
    before = canonical(decision)
    assert not would_decide(shots[0], Inputs(facts), routed)  # it reads no images
    assert canonical(decision) == before
