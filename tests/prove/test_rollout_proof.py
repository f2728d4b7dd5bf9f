"""The proof of roll-outs sees what it should."""

from pathlib import Path

import pytest

from core.rollout import ENFORCE, SHADOW, Stage
from prove import guests
from prove.rollout import (
    CANARY,
    ITS,
    OTHERS,
    OVER,
    RULE,
    SESSIONS,
    Answered,
    after_the_third,
    broken,
    decides,
)
from prove.test_promises import asked

STAGES = {"s": SHADOW, "c": CANARY, "e": ENFORCE}
INSIDE = next(name for n in range(SESSIONS) if decides(CANARY, name := f"session-{n}"))
OUTSIDE = next(name for n in range(SESSIONS) if not decides(CANARY, name := f"session-{n}"))


def answered(
    snapshot: str, session: str, *, ruled: bool, fails: bool = False, ended: float = 1.0, status: int = 200
) -> Answered:
    reason, target = (f"rule:{RULE}", ITS) if ruled else ("default", OTHERS)
    return Answered(ended - 0.5, ended, session, fails, status, snapshot, reason, target, f"{target} ({reason})")


GOOD = [
    answered("s", INSIDE, ruled=False),
    answered("c", INSIDE, ruled=True),
    answered("c", OUTSIDE, ruled=False),
    answered("e", OUTSIDE, ruled=True),
    answered("e", OUTSIDE, ruled=False, fails=True),
]


def test_what_stage_and_session_explain_is_no_finding() -> None:
    assert broken(GOOD, STAGES) == []


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (answered("s", INSIDE, ruled=True), "shadow: decided by rule:candidate"),
        (answered("c", OUTSIDE, ruled=True), "canary 10%: decided by rule:candidate"),
        (answered("c", INSIDE, ruled=False), "canary 10%: decided by default"),
        (answered("e", OUTSIDE, ruled=False), "enforce: decided by default"),
        (answered("x", OUTSIDE, ruled=False), "a snapshot that never served"),
        (answered("s", OUTSIDE, ruled=False, status=500), "status 500"),
        (answered("s", OUTSIDE, ruled=False, status=0), "status 0"),
        (answered("e", INSIDE, ruled=True)._replace(target=OTHERS), "decided by rule:candidate for a,e"),
        (answered("e", INSIDE, ruled=True)._replace(said="a,e (default)"), "other than its headers"),
    ],
)
def test_what_they_do_not_explain_is_one(one: Answered, said: str) -> None:
    [finding] = broken([*GOOD, one], STAGES)
    assert said in finding


def test_a_share_that_is_not_met_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prove.rollout.CANARY", Stage("canary", 30))
    monkeypatch.setattr("prove.rollout.is_in", lambda *_: True)
    [finding] = broken([], STAGES)
    assert f"{SESSIONS} of {SESSIONS} sessions are in a share of 30%" in finding


def test_what_comes_after_the_third_failure_is_counted() -> None:
    failures = [answered("e", INSIDE, ruled=False, fails=True, ended=float(n)) for n in range(1, 7)]
    later = answered("s", INSIDE, ruled=False, fails=True, ended=9.0)
    assert after_the_third([*failures, later], STAGES) == (3, 2500.0)
    assert after_the_third(failures[:3], STAGES) == (0, 0.0)


def test_the_guest_trips_over_its_character_and_nothing_else(tmp_path: Path) -> None:
    rule = guests.tripping('{"abstain":true,"reason":"fine"}', OVER)
    assert [asked(tmp_path, rule, words).code for words in ("hello", f"{OVER}hello", f"h{OVER}")] == [
        "abstain", "trap", "abstain",
    ]  # fmt: skip
