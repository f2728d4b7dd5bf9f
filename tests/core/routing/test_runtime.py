from typing import Any

import msgspec
import pytest

from core.exchange import Features, SessionState
from core.routing.runtime import RuntimeSettings, scenarios

NOTHING = Features(
    dialect="anthropic",
    model="m",
    stream=False,
    max_tokens=None,
    token_count=0,
    message_count=1,
    tools=(),
    last_user="",
    thinking=False,
    effort="none",
    web_search=False,
    images=0,
    image_in_last_turn=False,
    request_class="",
    background=False,
    plan_mode=False,
    subagent=False,
    subagent_target="",
    session_id="s",
    client_key="",
    agent="",
)


NEW, DEFAULTS = SessionState(), RuntimeSettings()


def holding(session: SessionState = NEW, settings: RuntimeSettings = DEFAULTS, **facts: Any) -> str:
    return " ".join(scenarios(msgspec.structs.replace(NOTHING, **facts), session, settings))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, ""),
        ({"image_in_last_turn": True}, "image"),
        ({"images": 3}, ""),
        ({"web_search": True}, "web_search"),
        ({"token_count": 60_000}, ""),
        ({"token_count": 60_001}, "long_context"),
        ({"effort": "medium", "thinking": True}, ""),
        ({"effort": "high"}, "thinking"),
        ({"effort": "max"}, "thinking"),
        ({"background": True}, "background"),
        ({"request_class": "auxiliary"}, ""),
    ],
)
def test_each_scenario_holds_on_its_own_fact(facts: dict[str, Any], expected: str) -> None:
    assert holding(**facts) == expected


def test_all_scenarios_hold_in_the_order_of_the_design() -> None:
    everything: dict[str, Any] = {"background": True, "effort": "high", "token_count": 10**6, "web_search": True}

    assert holding(image_in_last_turn=True, **everything) == "image web_search long_context thinking background"


@pytest.mark.parametrize(
    ("last", "tokens", "expected"),
    [
        (60_000, 20_001, ""),
        (60_001, 20_000, ""),
        (60_001, 20_001, "long_context"),
        (0, 59_999, ""),
    ],
)
def test_a_long_session_stays_long_until_it_is_clearly_short(last: int, tokens: int, expected: str) -> None:
    assert holding(SessionState(last_input_tokens=last), token_count=tokens) == expected


def test_thresholds_are_the_operators() -> None:
    settings = RuntimeSettings(long_context_threshold=100, long_context_hysteresis=10, thinking_min_effort="low")

    assert holding(settings=settings, token_count=101, effort="low") == "long_context thinking"
    assert holding(SessionState(last_input_tokens=101), settings, token_count=11) == "long_context"


def test_a_threshold_below_the_hysteresis_still_decides() -> None:
    settings = RuntimeSettings(long_context_threshold=5_000)

    assert holding(SessionState(last_input_tokens=9_000), settings, token_count=5_001) == "long_context"
