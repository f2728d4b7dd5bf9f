"""Moves that a person asks for."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from facts import ROOT

from core import settings
from core.generation import Generation, load_generation
from core.rollout import CONFIGURED, DISABLE, ENABLE, ENFORCE, PROMOTE, ROLLBACK, SHADOW, Move, Rollouts, Stage
from core.rollout_plan import Refused, planned, promotion, rollback, said_by, share_of, status, unguarded

AT = datetime(2026, 11, 23, tzinfo=UTC)
STEPS = (5.0, 25.0)


def canary(share: float) -> Stage:
    return Stage("canary", share)


@pytest.mark.parametrize(
    ("stage", "to", "share", "goal"),
    [
        (SHADOW, "", "", canary(5)),
        (canary(10), "", "", canary(25)),
        (canary(25), "", "", ENFORCE),
        (SHADOW, "", "0.5 %", canary(0.5)),
        (SHADOW, "canary", "30", canary(30)),
        (canary(5), "enforce", "", ENFORCE),
        (canary(100), "", "", ENFORCE),
    ],
)
def test_ways_ahead(stage: Stage, to: str, share: str, goal: Stage) -> None:
    assert promotion(stage, "r", to, share, STEPS) == goal


@pytest.mark.parametrize(
    ("stage", "to", "share", "goal"),
    [
        (ENFORCE, "", "", SHADOW),
        (canary(5), "shadow", "", SHADOW),
        (ENFORCE, "canary", "100%", canary(100)),
        (canary(25), "", "5", canary(5)),
    ],
)
def test_ways_back(stage: Stage, to: str, share: str, goal: Stage) -> None:
    assert rollback(stage, "r", to, share) == goal


@pytest.mark.parametrize(
    ("stage", "to", "share", "said"),
    [
        (ENFORCE, "", "", "everybody already"),
        (ENFORCE, "enforce", "", "rules rollback leads back"),
        (canary(25), "canary", "25%", "rules rollback leads back"),
        (canary(25), "", "5%", "rules rollback leads back"),
        (SHADOW, "canary", "", "needs a share"),
        (SHADOW, "enforce", "5%", "is a canary's"),
    ],
)
def test_what_is_no_way_ahead(stage: Stage, to: str, share: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        promotion(stage, "r", to, share, STEPS)


@pytest.mark.parametrize(("stage", "share"), [(SHADOW, ""), (canary(5), "5"), (canary(5), "6")])
def test_what_is_no_way_back(stage: Stage, share: str) -> None:
    with pytest.raises(Refused, match="rules promote leads ahead"):
        rollback(stage, "r", "", share)


@pytest.mark.parametrize("text", ["0", "-1", "101%", "ten", "", "5%%", "1e1", "nan"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(ValueError, match="is not off, shadow"):
        share_of(text)


@pytest.fixture
def generation(tmp_path: Path) -> Generation:
    for name in ("plugins", "taxonomy"):
        (tmp_path / name).mkdir()
    for name in ("default", "told"):
        (tmp_path / "plugins" / f"{name}.wat").write_text((ROOT / "plugins" / "wasm-demo.wat").read_text())
    (tmp_path / "plugins" / "mine.wat").write_text((ROOT / "plugins" / "wasm-demo.wat").read_text())
    (tmp_path / "plugins" / "mine.toml").write_text('mode = "shadow"\n')
    (tmp_path / "c.toml").write_text(
        '[providers.here]\ndialect = "loopback"\nmodels = { a = {} }\n[routing]\ndefault = "here,a"\n[plugins]\ndir = '
        '"plugins"\n[taxonomy]\ndir = "taxonomy"\n[rules.told.policy]\nmode = "canary"\nshare = 5\n'
    )
    loaded = settings.load(tmp_path / "c.toml", {"HOME": str(tmp_path), "TERRAPHIM_DISCOVERY": "off"})
    return load_generation(loaded, tmp_path / "cache")


def test_whose_word_counts(generation: Generation) -> None:
    rules = {rule.name: rule for rule in generation.files.rules}
    said = {name: said_by(generation, rule) for name, rule in rules.items()}
    assert said == {"default": "default", "mine": "manifest", "told": "configuration"}


def test_a_move_is_refused_if_somebody_was_faster(generation: Generation) -> None:
    rule = generation.files.rules[0]
    step = planned(generation, rule, ROLLBACK, "", "", by="ann", why="w", at=AT)
    move = step(Rollouts())
    assert move == Move(
        rule="default", module=rule.sha256, at=AT, action=ROLLBACK, came_from="enforce", to="shadow", by="ann", why="w"
    )
    with pytest.raises(Refused, match="was moved meanwhile, and is at shadow"):
        step(Rollouts((move,)))
    other = msgspec.structs.replace(move, rule="told")
    assert step(Rollouts((other,))) == move


def test_what_was_never_moved_cannot_be_given_back(generation: Generation) -> None:
    with pytest.raises(Refused, match="where the configuration says already"):
        planned(generation, generation.files.rules[0], ROLLBACK, CONFIGURED, "", by="ann", why="", at=AT)


@pytest.mark.parametrize(
    ("action", "to", "share", "said"),
    [
        (PROMOTE, "enfroce", "", "does not lead to 'enfroce', but to canary, enforce"),
        (PROMOTE, "shadow", "", "does not lead to 'shadow'"),
        (PROMOTE, CONFIGURED, "", "does not lead to 'configured'"),
        (ROLLBACK, "off", "", "does not lead to 'off', but to shadow, canary, configured"),
        (ROLLBACK, CONFIGURED, "5%", "rollback configured takes none"),
        (DISABLE, "shadow", "", "disable does not lead to 'shadow'"),
        (DISABLE, "", "5%", "disable takes none"),
        (ENABLE, "", "5%", "enable takes none"),
    ],
)
def test_what_nobody_knows_is_not_taken_for_the_next_step(
    generation: Generation, action: str, to: str, share: str, said: str
) -> None:
    for rule in generation.files.rules:
        with pytest.raises(Refused, match=said):
            planned(generation, rule, action, to, share, by="ann", why="", at=AT)


def test_a_rule_is_switched_off_and_on_where_it_was(generation: Generation) -> None:
    rule = next(rule for rule in generation.files.rules if rule.name == "told")

    def asked(action: str, *moves: Move, to: str = "") -> Move:
        known = Rollouts(moves)
        return planned(replace(generation, rollouts=known), rule, action, to, "", by="ann", why="", at=AT)(known)

    off = asked(DISABLE)
    assert (off.came_from, off.to) == ("canary 5%", "off")
    on = asked(ENABLE, off)
    assert (on.came_from, on.to) == ("off", "canary 5%")
    for action, moves, said in (
        (DISABLE, (off,), "told is off already"),
        (ENABLE, (), "told is on already: at canary 5%"),
        (ENABLE, (off, on), "told is on already"),
        (PROMOTE, (off,), "told is off: rules enable turns it on"),
        (ROLLBACK, (off,), "told is off: rules enable turns it on"),
    ):
        with pytest.raises(Refused, match=said):
            asked(action, *moves)
    with pytest.raises(Refused, match="is off: rules enable"):
        asked(ROLLBACK, off, to=CONFIGURED)
    step = planned(generation, rule, DISABLE, "", "", by="ann", why="", at=AT)
    with pytest.raises(Refused, match="moved meanwhile, and is at off"):
        step(Rollouts((off,)))
    row = status(replace(generation, rollouts=Rollouts((off,))), rule, None)
    assert (row["stage"], row["set_by"], row["since"], row["next"]) == ("off", "rollout", AT, None)


def test_what_is_off_as_configured_is_promoted_not_enabled(generation: Generation) -> None:
    base = generation.files.rules[0]
    rule = msgspec.structs.replace(base, settings=msgspec.structs.replace(base.settings, mode="off"))
    with pytest.raises(Refused, match="off as it is configured"):
        planned(generation, rule, ENABLE, "", "", by="ann", why="", at=AT)
    assert planned(generation, rule, PROMOTE, "", "", by="ann", why="", at=AT)(Rollouts()).to == "shadow"


def test_who_switches_a_guard_off_is_told(generation: Generation) -> None:
    rule = generation.files.rules[0]
    guard = msgspec.structs.replace(rule, settings=msgspec.structs.replace(rule.settings, fail="deny"))
    assert [bool(unguarded(guard, action)) for action in (DISABLE, ROLLBACK, ENABLE, PROMOTE)] == [
        True,
        True,
        False,
        False,
    ]
    assert unguarded(rule, DISABLE) == ""


def test_figures_of_another_module_are_not_shown(generation: Generation) -> None:
    rule = generation.files.rules[0]
    own, other = {"module": rule.sha256, "calls": 5}, {"module": "f" * 64, "calls": 7}
    shown = [status(generation, rule, live)["figures"] for live in (None, {}, {rule.name: other}, {rule.name: own})]
    assert shown == [None, None, None, own]
    assert status(generation, rule, None)["next"] is None
    assert planned(generation, generation.files.rules[2], PROMOTE, "", "", by="a", why="", at=AT)(Rollouts()).to == (
        "canary 25%"
    )
