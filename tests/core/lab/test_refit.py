"""A record's inputs under other settings."""

import pytest
from facts import features, settings, snapshot
from relived import CHEAP, CHEAPEST, CLEVER, ruled

from core.exchange import Inputs, SessionState
from core.lab.again import NotCaptured
from core.lab.refit import refitted

OWN = snapshot(settings(default=CLEVER))


def test_nothing_changes_under_the_same_settings() -> None:
    inputs = Inputs(features(counted=1000, token_count=1200, token_factor=1.2), factors={"gemini-2.5-flash": 1.2})
    assert refitted(inputs, OWN, OWN) == inputs


def test_tokens_are_those_of_the_model_that_is_expected_to_answer() -> None:
    factors = {"gemini-2.5-flash": 1.2, "deepseek-chat": 0.9}
    inputs = Inputs(features(counted=1000, token_count=1200, token_factor=1.2), factors=factors)
    other = refitted(inputs, OWN, snapshot(settings(default=CHEAP))).features
    assert (other.token_count, other.token_factor) == (900, 0.9)
    gone_on = Inputs(inputs.features, SessionState(last_target=CLEVER), factors=factors)
    assert refitted(gone_on, OWN, snapshot(settings(default=CHEAP))).features.token_count == 1200


def test_what_a_key_may_ask_is_the_other_configurations_word() -> None:
    inputs = Inputs(features(client_key="laptop", allowed=("a,*",)))
    assert refitted(inputs, OWN, OWN).features.allowed == ("a,*",)
    assert refitted(inputs, OWN, OWN, {"laptop": ("b,*",)}).features.allowed == ("b,*",)
    assert refitted(inputs, OWN, OWN, {"other": ("b,*",)}).features.allowed == ("a,*",)


def test_a_request_that_comes_to_be_a_background_job_has_another_session() -> None:
    other = snapshot(settings(default=CLEVER, background_models=["*mini*"]))
    for model in ("gpt-5-mini", "claude-haiku"):
        with pytest.raises(NotCaptured, match="background"):
            refitted(Inputs(features(model=model)), OWN, other)
    for facts in ({"model": "gpt-5"}, {"model": "gpt-5-mini", "request_class": "auxiliary"}):
        assert refitted(Inputs(features(**facts)), OWN, other).features == features(**facts)


def test_how_targets_were_is_not_made_up(tmp_path_factory: pytest.TempPathFactory) -> None:
    tables = {"reads": {"input": ["targets"]}}
    reads = ruled(tmp_path_factory.mktemp("reads"), {"reads": CHEAPEST}, tables)
    with pytest.raises(NotCaptured, match="how targets were"):
        refitted(Inputs(features()), OWN, reads)
    assert refitted(Inputs(features()), reads, reads) == Inputs(features())
