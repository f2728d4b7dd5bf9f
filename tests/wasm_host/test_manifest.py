from typing import Any

import pytest

from wasm_host import abi
from wasm_host.manifest import Limits, ManifestError, Settings, merge


def author(content: dict[str, Any]) -> tuple[Settings, tuple[str, ...]]:
    return merge({}, [("rule.toml", content)])


def test_a_rule_needs_no_manifest() -> None:
    assert merge({}, []) == (Settings(), ())
    assert Settings().limits == Limits(fuel=10_000_000, timeout_ms=100, memory=16 << 20, module=8 << 20, request=None)


def test_precedence() -> None:
    layers = [
        ("file", {"priority": 2, "config": {"b": 2, "c": 2}}),
        ("section", {"priority": 3, "version": "3", "config": {"c": 3, "d": 3}}),
        ("describe", {"priority": 4, "version": "4", "mode": "shadow"}),
    ]
    settings, notes = merge({"priority": 1, "config": {"a": 1, "b": 1}}, layers)
    assert (settings.priority, settings.version, settings.mode) == (1, "3", "shadow")
    assert settings.config == {"a": 1, "b": 1, "c": 2, "d": 3}
    assert notes == ()


def test_the_file_s_tables_and_the_config_s_flat_keys_mean_the_same() -> None:
    nested = {"rule": {"name": "n", "routes": ["a,b"]}, "policy": {"priority": 7, "mode": "shadow"}}
    flat = {"name": "n", "routes": ["a,b"], "priority": 7, "mode": "shadow"}
    assert author(nested) == author(flat)


@pytest.mark.parametrize(
    "content",
    [{"grant": ["session"]}, {"allow_deny": True}, {"policy": {"fail": "deny"}}, {"rollout": {"auto": "promote"}}],
)
def test_an_author_cannot_take_what_is_the_operator_s(content: dict[str, Any]) -> None:
    settings, [note] = author(content)
    assert settings == Settings()
    assert "operator" in note


def test_an_operator_can_give_it() -> None:
    settings, notes = merge({"grant": ["session"], "allow_deny": True, "fail": "deny"}, [])
    assert (settings.grant, settings.allow_deny, settings.fail) == (("session",), True, "deny")
    assert notes == ()


def test_a_canary_is_one_word_of_one_place() -> None:
    theirs = [("rule.toml", {"policy": {"mode": "canary", "share": 20}})]
    for operator, mode, share in (
        ({}, "canary", 20.0),
        ({"mode": "canary", "share": 0.5}, "canary", 0.5),
        ({"mode": "shadow"}, "shadow", None),
        ({"mode": "enforce"}, "enforce", None),
    ):
        settings, notes = merge(operator, theirs)
        assert (settings.mode, settings.share, notes) == (mode, share, ())
    for alone, words in (({"mode": "canary"}, "needs share"), ({"share": 5}, "counts only beside")):
        with pytest.raises(ManifestError, match=f"the operator's config: .*{words}"):
            merge(alone, theirs)


@pytest.mark.parametrize("share", [0, -1, 100.5, float("nan"), "5%", True])
def test_a_share_is_a_part_of_the_sessions(share: object) -> None:
    with pytest.raises(ManifestError, match="share"):
        merge({"mode": "canary", "share": share}, [])


@pytest.mark.parametrize("name", ["fuel", "timeout_ms", "memory", "module"])
def test_an_author_lowers_limits_and_an_operator_raises_them(name: str) -> None:
    default, cap = abi.LIMITS[name]
    lowered, notes = author({"limits": {name: default - 1}})
    assert (getattr(lowered.limits, name), notes) == (default - 1, ())
    clamped, [note] = author({"limits": {name: default + 1}})
    assert getattr(clamped.limits, name) == default
    assert name in note
    raised, _ = merge({"limits": {name: cap}}, [])
    assert getattr(raised.limits, name) == cap
    with pytest.raises(ManifestError, match=f"{name} = {cap + 1} is over the cap"):
        merge({"limits": {name: cap + 1}}, [])


def test_an_author_may_ask_for_a_larger_request() -> None:
    assert author({"limits": {"request": 200_000}})[0].limits.request == 200_000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"priority": "high"}, "priority"),
        ({"priority": True}, "priority"),
        ({"mode": "observe"}, "mode"),
        ({"fail": "open"}, "fail"),
        ({"routes": "a,b"}, "routes"),
        ({"input": [1]}, "input"),
        ({"limits": {"fuel": 0}}, "limits"),
        ({"limits": {"fuel": -5}}, "limits"),
        ({"limits": 5}, "limits"),
        ({"tags": {"team": ["free text"]}}, "tags"),
        ({"policy": []}, "policy"),
    ],
)
def test_wrong_values_name_the_place(content: dict[str, Any], words: str) -> None:
    with pytest.raises(ManifestError, match=r"rule\.toml") as caught:
        author(content)
    assert words in str(caught.value)


def test_unknown_keys_are_noted_with_what_was_probably_meant() -> None:
    settings, notes = author({"priorty": 3, "limits": {"fule": 5}, "zebra": 1, "test": [{}]})
    assert settings == Settings()
    assert notes == (
        "rule.toml: unknown key 'priorty', did you mean 'priority'?",
        "rule.toml: unknown key 'zebra'",
        "rule.toml, limits: unknown key 'fule', did you mean 'fuel'?",
    )
