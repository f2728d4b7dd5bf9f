import pytest

from core.effort import EFFORTS, at_least, effort_of
from core.messages import Thinking


@pytest.mark.parametrize(
    ("thinking", "effort"),
    [
        (Thinking(), "none"),
        (Thinking(type="disabled"), "none"),
        (Thinking(type="disabled", effort="high"), "none"),
        (Thinking(type="adaptive"), "medium"),
        (Thinking(type="adaptive", effort="high"), "high"),
        (Thinking(type="adaptive", effort="LOW"), "low"),
        (Thinking(type="enabled"), "medium"),
        (Thinking(type="enabled", budget=0), "none"),
        (Thinking(type="enabled", budget=1024), "low"),
        (Thinking(type="enabled", budget=1025), "medium"),
        (Thinking(type="enabled", budget=8192), "medium"),
        (Thinking(type="enabled", budget=8193), "high"),
        (Thinking(type="enabled", budget=32000, effort="low"), "low"),
        (Thinking(effort="minimal"), "low"),
        (Thinking(effort="max"), "max"),
        (Thinking(effort="heroic"), "none"),
        (Thinking(type="enabled", budget=9000, effort="heroic"), "high"),
    ],
)
def test_the_effort_is_what_was_sent_or_follows_from_the_budget(thinking: Thinking, effort: str) -> None:
    assert effort_of(thinking) == effort


def test_efforts_are_ordered_and_none_never_suffices() -> None:
    reached = {least: [effort for effort in EFFORTS if at_least(effort, least)] for least in ("none", "high")}

    assert reached == {"none": ["low", "medium", "high", "xhigh", "max"], "high": ["high", "xhigh", "max"]}
