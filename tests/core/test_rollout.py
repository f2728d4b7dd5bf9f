"""Moves from stage to stage, as values and as a file's text."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from facts import ROOT, features, settings, snapshot
from hypothesis import given
from hypothesis import strategies as st

from core.rollout import (
    CONFIGURED,
    DISABLE,
    ENABLE,
    ENFORCE,
    KEPT,
    OFF,
    PROMOTE,
    ROLLBACK,
    SHADOW,
    Move,
    Rollouts,
    Stage,
    applied,
    following,
    parse,
    render,
    stage_of,
    tables,
)
from core.routing.canary import Canaries
from wasm_host.registry import load_rules
from wasm_host.rule import RuleSet

AT = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
MODULE, OTHER = "a" * 64, "b" * 64


def move(to: str = "enforce", **fields: Any) -> Move:
    plain = {"rule": "r", "module": MODULE, "at": AT, "action": PROMOTE, "came_from": "shadow", "to": to, "by": "ann"}
    return Move(**{**plain, **fields})


def load(folder: Path, **operator: dict[str, Any]) -> RuleSet:
    """Rules `careful` and `other`, which are one module."""
    plugins = folder / "plugins"
    plugins.mkdir(exist_ok=True)
    for name in ("careful", "other"):
        (plugins / f"{name}.wat").write_text((ROOT / "plugins" / "wasm-demo.wat").read_text())
    return load_rules(plugins, operator, cache=folder / "cache")


@pytest.mark.parametrize(
    "text", ["off", "shadow", "enforce", "canary 5%", "canary 0.5%", "canary 100%", "canary 0.0000001%"]
)
def test_a_stage_is_read_as_it_is_written(text: str) -> None:
    assert str(Stage.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "canary", "canary 0%", "canary 101%", "canary -5%", "canary nan%", "canary 1e2%", "Enforce", "shadow 5"],
)
def test_what_is_no_stage_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not off, shadow, enforce, or canary"):
        Stage.parse(text)


@given(st.floats(min_value=1e-6, max_value=100))
def test_a_share_comes_back_from_its_text(share: float) -> None:
    assert Stage.parse(str(Stage("canary", share))).share == pytest.approx(share, abs=1e-10)


def test_the_steps_lead_from_shadow_to_everybody() -> None:
    steps = (25.0, 5.0)
    assert [following(stage, steps) for stage in (SHADOW, Stage("canary", 5), Stage("canary", 7))] == [
        Stage("canary", 5), Stage("canary", 25), Stage("canary", 25),
    ]  # fmt: skip
    assert following(Stage("canary", 25), steps) == following(SHADOW, ()) == ENFORCE
    assert following(Stage("canary", 100), steps) == ENFORCE
    assert following(ENFORCE, steps) is None


def test_the_last_move_of_a_module_is_its_stage(tmp_path: Path) -> None:
    rule = load(tmp_path).rules[0]
    named = {"rule": rule.name, "module": rule.sha256}
    moves = (move("canary 5%", **named), move("canary 25%", **named), move("shadow", rule="other", module=rule.sha256))
    assert Rollouts(moves).stage(rule) == Stage("canary", 25)
    assert Rollouts(moves[2:]).stage(rule) == stage_of(rule) == ENFORCE
    assert Rollouts((move("shadow", rule=rule.name, module=OTHER),)).stage(rule) == ENFORCE
    assert Rollouts((*moves, move(CONFIGURED, **named))).stage(rule) == ENFORCE


def test_what_was_rolled_back_is_held_until_somebody_promotes_it() -> None:
    back = move("shadow", action=ROLLBACK, automatic=True)
    assert Rollouts((move(), back)).held("r", MODULE)
    assert not Rollouts((move(), back, move("canary 5%"))).held("r", MODULE)
    assert not Rollouts((move(), back, move(CONFIGURED, action=ROLLBACK))).held("r", MODULE)
    assert not Rollouts((back,)).held("r", OTHER)


def test_the_file_is_read_as_it_is_written_whatever_stands_in_it() -> None:
    strange = 'a "quoted" \\ name\n[[move]]\nrule = "other" \x7f\u2028'
    moves = (move(by=strange, why=strange), move("canary 0.25%", automatic=True, at=AT + timedelta(hours=1)))
    text = render(Rollouts(moves))
    assert parse(text) == Rollouts(moves)
    assert text.decode().count("\n[[move]]\n") == 2
    assert '"from" = "shadow"' in text.decode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version = 2\nsomething = 5", "newer program"),
        ("", "missing required field `version`"),
        ("version = 1\nmoves = []", "unknown field"),
        ("version = 1\n[[move]]\nrule = 'r'", "missing required field"),
        ("version = 1\n[[move", "no list of moves"),
        ("version = 'x'", "no list of moves"),
        ("a = " + "[" * 10_000, "no list of moves"),
        ('{"json": true}', "no list of moves"),
    ],
)
def test_another_file_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text.encode())


def test_a_stage_that_there_is_not_is_refused_with_the_whole_file() -> None:
    good = render(Rollouts((move(),)))
    with pytest.raises(ValueError, match="is not off, shadow"):
        parse(good.replace(b'"to" = "enforce"', b'"to" = "always"'))
    with pytest.raises(ValueError, match="no list of moves"):
        parse(b"\xff" + good)


def test_the_latest_moves_of_each_rule_are_kept() -> None:
    rollouts = Rollouts((move("shadow", rule="quiet"),))
    for number in range(KEPT + 5):
        rollouts = rollouts.then(move(why=str(number)))
    assert [old.why for old in rollouts.history("r")] == [str(number) for number in range(5, KEPT + 5)]
    assert len(rollouts.history("quiet")) == 1


def test_stages_are_those_that_the_operators_table_would_give(tmp_path: Path) -> None:
    """So a snapshot that keeps the table and the modules can be built again without the file."""
    operator: dict[str, dict[str, Any]] = {
        "careful": {"policy": {"mode": "canary", "share": 3}, "priority": 7, "config": {"x": 1}}
    }
    rules = load(tmp_path, **operator)
    for to in ("off", "shadow", "canary 12.5%", "enforce"):
        rollouts = Rollouts((move(to, rule="careful", module=rules.rules[0].sha256),))
        told = tables(operator, rules, rollouts)
        staged = applied(rules, rollouts)
        assert load(tmp_path, **told).identity() == staged.identity()
        assert str(stage_of(staged.rules[0])) == to
        assert (staged.rules[0].settings.priority, staged.rules[1]) == (7, rules.rules[1])


def test_a_switch_is_the_rules_and_leaves_stages_where_they_are(tmp_path: Path) -> None:
    rule = load(tmp_path, careful={"mode": "canary", "share": 5}).rules[0]
    named = {"rule": rule.name, "module": rule.sha256}
    stages = [move("shadow", action=ROLLBACK, **named)]
    off, on = (move(to, action=action, **named) for to, action in (("off", DISABLE), ("shadow", ENABLE)))
    assert Rollouts((*stages, off)).stage(rule) == OFF
    assert Rollouts((*stages, off, on)).stage(rule) == SHADOW
    assert Rollouts((off, on)).stage(rule) == Stage("canary", 5)
    assert Rollouts((*stages, off, on)).held(rule.name, rule.sha256), "a switch is no promotion"
    other_module = move("off", action=DISABLE, rule=rule.name, module=OTHER)
    assert Rollouts((other_module,)).stage(rule) == OFF, "a new module does not come on by itself"
    assert Rollouts((move("off", action=DISABLE, rule="else"),)).stage(rule) == Stage("canary", 5)


def test_to_switch_often_forgets_no_stage() -> None:
    rollouts = Rollouts((move("shadow", action=ROLLBACK, automatic=True),))
    for number in range(2 * KEPT + 2):
        rollouts = rollouts.then(move("off", action=(DISABLE, ENABLE)[number % 2]))
    assert len(rollouts.moves) == KEPT + 1
    assert (rollouts.held("r", MODULE), rollouts.off("r")) == (True, False)
    assert parse(render(rollouts)) == rollouts


def test_a_rule_that_is_off_is_there_and_wants_nothing(tmp_path: Path) -> None:
    rules = load(tmp_path, careful={"grant": ["session"], "input": ["session"]}, other={"mode": "off"})
    careful = rules.rules[0]
    assert (rules.wants, [rule.name for rule in rules.on]) == (careful.plan.wants(), ["careful"])
    off = Rollouts((move("off", action=DISABLE, rule="careful", module=careful.sha256),))
    staged = applied(rules, off)
    assert (staged.wants, staged.on, len(staged.rules)) == (frozenset(), (), 2)
    assert Canaries(staged.rules).sides(features()) == ([], {})
    told = tables({"careful": {"mode": "shadow"}}, rules, off)
    assert (told["careful"]["mode"], following(OFF, (5,))) == ("off", SHADOW)


def test_without_a_move_nothing_is_changed(tmp_path: Path) -> None:
    rules = load(tmp_path)
    assert applied(rules, Rollouts()) is rules
    assert tables({"x": {"priority": 1}}, rules, Rollouts()) == {"x": {"priority": 1}}


def test_each_stage_is_a_snapshot_of_its_own(tmp_path: Path) -> None:
    rules = load(tmp_path)
    shots = set()
    for to in ("shadow", "canary 5%", "canary 6%", "enforce"):
        rollouts = Rollouts((move(to, rule="careful", module=rules.rules[0].sha256),))
        config = settings().model_copy(update={"rules": tables({}, rules, rollouts)})
        shots.add(snapshot(config, rules=applied(rules, rollouts)).digest)
    assert len(shots) == 4
