from typing import Any

import pytest

from core.status_line import line, session_of, short_of

SESSION = "b4b6e7a2-0000-4000-8000-000000000001"


def summary(**more: Any) -> dict[str, Any]:
    return {
        "session": short_of(SESSION), "answered_by": "one,main", "target": "one,main", "class": "main", "state": "done",
        "reason": "concept:research", "phase": "pattern", "status": 200, "cost_micro_usd": 1200,
    } | more  # fmt: skip


def test_the_session_of_what_claude_code_passes() -> None:
    assert session_of(b'{"session_id": "abc", "model": {"id": "x"}}') == "abc"
    for data in (b"", b"{", b"[]", b'{"session_id": 1}', b"\xff", b"[" * 100_000):
        assert session_of(data) == ""


def test_model_reason_and_cost_of_the_session() -> None:
    others = summary(session="00000000", cost_micro_usd=5_000_000)
    assert line([summary(), others, summary()], SESSION, forgets=False) == "one,main · concept:research · $0.0024"
    assert line([others], SESSION, forgets=False) == "proxy up, no request of this session yet"
    assert line([others], "", forgets=False).endswith("· $5")


def test_side_jobs_are_paid_for_but_not_shown() -> None:
    side = summary(answered_by="one,small", reason="background", **{"class": "auxiliary"})
    assert line([side, summary()], SESSION, forgets=False) == "one,main · concept:research · $0.0024"
    assert line([side], SESSION, forgets=False) == "one,small · background · $0.0012"


def test_what_is_not_known_is_said() -> None:
    unpriced, opened = summary(cost_micro_usd=None), summary(state="open", cost_micro_usd=None, answered_by=None)
    assert line([unpriced, summary()], SESSION, forgets=True) == "one,main · concept:research · ≥ $0.0012 + ?"
    assert line([opened], SESSION, forgets=False) == "one,main · concept:research · $0"
    assert line([summary(simulated=True, status=529)], SESSION, forgets=False).endswith("· SIMULATED · 1 error")


@pytest.mark.parametrize("key", ["answered_by", "reason"])
def test_no_name_moves_the_cursor(key: str) -> None:
    shown = line([summary(**{key: "\x1b[2J\n\u202e"})], SESSION, forgets=False)
    assert shown.isprintable()


def test_broken_summaries_do_no_harm() -> None:
    assert line([{"session": short_of(SESSION)}], SESSION, forgets=False) == "refused · ? · $0"
