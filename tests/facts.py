"""Features, settings and snapshots for tests, with only what a test cares about spelled out."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

from core import presets
from core.exchange import Decision, Features, SessionState
from core.rolegraph import build_taxonomy
from core.routing.decide import decide
from core.routing.proposal import Ask
from core.routing.snapshot import Snapshot, build
from core.schema import Settings
from wasm_host.answer import Outcome
from wasm_host.rule import RuleSet

_FACTS: dict[str, Any] = {
    "dialect": "anthropic",
    "model": "auto",
    "stream": False,
    "max_tokens": None,
    "token_count": 100,
    "message_count": 1,
    "tools": (),
    "last_user": "hello",
    "thinking": False,
    "effort": "none",
    "web_search": False,
    "images": 0,
    "image_in_last_turn": False,
    "request_class": "",
    "background": False,
    "plan_mode": False,
    "subagent": False,
    "subagent_target": "",
    "session_id": "s",
    "client_key": "",
    "allowed": (),
    "agent": "",
}


def features(**facts: Any) -> Features:
    return Features(**{**_FACTS, **facts})


def settings(**routing: Any) -> Settings:
    """The embedded default with these routing settings."""
    return presets.embedded(set(), {"routing": routing})


def snapshot(
    config: Settings | None = None, concepts: dict[str, str] | None = None, rules: RuleSet | None = None
) -> Snapshot:
    """A snapshot of these taxonomy files (path to text) and rules; nothing but the settings by default."""
    return build(config or settings(), build_taxonomy(list((concepts or {}).items())), rules or RuleSet())


def run(
    generator: Generator[Ask, list[Outcome], Decision], outcomes: list[list[Outcome]]
) -> tuple[Decision, list[Ask]]:
    """Drive a decision with recorded outcomes; the decision and what it asked."""
    asked: list[Ask] = []
    answers = iter(outcomes)
    try:
        asked.append(next(generator))
        while True:
            asked.append(generator.send(next(answers)))
    except StopIteration as end:
        return end.value, asked


def decided(
    shot: Snapshot | None = None,
    *,
    session: SessionState | None = None,
    outcomes: list[list[Outcome]] | None = None,
    **facts: Any,
) -> Decision:
    """The decision on a request with these facts."""
    return run(decide(shot or snapshot(), features(**facts), session or SessionState()), outcomes or [])[0]


ROOT = Path(__file__).parent.parent
