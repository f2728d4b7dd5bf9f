from pathlib import Path
from typing import Any

import pytest
from facts import settings, snapshot

from core import presets
from core.config_file import parse
from core.exchange import Target

CONCEPT = {"a.md": "# A\nroute:: openai, gpt-7\nsynonyms:: some words\n"}


def digest(concepts: dict[str, str] | None = None, **overrides: Any) -> str:
    return snapshot(presets.embedded(set(), overrides), concepts).digest


def test_the_id_is_the_beginning_of_a_sha256() -> None:
    shot = snapshot()
    assert len(shot.digest) == 64
    assert shot.id == shot.digest[:12]


def test_the_same_parts_give_the_same_id() -> None:
    two = {"b.md": "# B\nsynonyms:: y\n", **CONCEPT}
    assert digest(two) == digest(dict(reversed(two.items())))


@pytest.mark.parametrize(
    "overrides",
    [
        {"routing": {"default": "openai,gpt-5"}},
        {"routing": {"long_context_threshold": 1}},
        {"rules": {"x": {"priority": 1}}},
        {"taxonomy": {"scoring": "legacy"}},
        {"providers": {"openai": {"models": {"gpt-5": {"images": False}}}}},
    ],
)
def test_what_changes_decisions_changes_the_id(overrides: dict[str, Any]) -> None:
    assert digest(**overrides) != digest()
    assert digest(CONCEPT) != digest()


@pytest.mark.parametrize(
    "overrides",
    [
        {"server": {"port": 1}},
        {"plugins": {"dir": "/a"}},
        {"taxonomy": {"dir": "/a"}},
        {"providers": {"openai": {"api_key": {"env": "OTHER"}}}},
    ],
)
def test_what_changes_no_decision_does_not(overrides: dict[str, Any]) -> None:
    assert digest(**overrides) == digest()


def test_targets_are_named_in_tables_in_routing_and_in_the_taxonomy() -> None:
    shot = snapshot(settings(default="openai,gpt-6"), {**CONCEPT, "b.md": "# B\nroute:: nobody, x\nsynonyms:: y z\n"})
    assert {"openai,gpt-5", "openai,gpt-6", "openai,gpt-7"} <= shot.target_names
    assert "nobody,x" not in shot.target_names
    assert shot.card(Target("openai", "gpt-7")).context_window is None


def test_problems_of_the_parts_are_kept() -> None:
    problems = snapshot(concepts={"a.md": "# A\npriority:: 900\n"}).problems
    assert [problem.line for problem in problems] == [2]


def test_rules_see_facts_of_targets_that_are_known() -> None:
    views = {view["name"]: view for view in snapshot().target_views}
    assert views["deepseek,deepseek-chat"]["images"] is False
    assert "max_output" not in views["deepseek,deepseek-chat"]


AGENT = """\
[providers.a]
dialect = "openai"
base_url = "http://127.0.0.1:1"
[providers.a.models]
blind = {{ images = false }}
eye = {{ images = true }}
unknown = {{}}
[providers.l]
dialect = "loopback"
[routing]
default = "a,blind"
image_agent = {on}
[routing.runtime]
image = "{looks}"
background = "a,blind"
"""


@pytest.mark.parametrize(
    ("on", "looks", "model", "images", "found"),
    [
        ("true", "a,eye", "blind", 1, "a,eye"),
        ("true", "a,unknown", "blind", 1, "a,unknown"),
        ("false", "a,eye", "blind", 1, None),
        ("true", "a,eye", "blind", 0, None),
        ("true", "a,eye", "eye", 1, None),
        ("true", "a,eye", "unknown", 1, None),
        ("true", "a,blind", "blind", 1, None),
        ("true", "l,eye", "blind", 1, None),
    ],
)
def test_who_looks_at_images_for_whom(on: str, looks: str, model: str, images: int, found: str | None) -> None:
    shot = snapshot(parse(AGENT.format(on=on, looks=looks), Path("/etc/c.toml")))
    agent = shot.image_agent(Target("a", model), images)
    assert (None if agent is None else str(agent)) == found
    assert agent is None or shot.image_agent(Target("a", model), images, ("a,blind",)) is None
    assert shot.image_agent(Target("a", model), images, ("a,*",)) == agent
    assert ("image" in shot.runtime_routes) == (on == "false")
    assert "background" in shot.runtime_routes
