"""The explanation for people fits a terminal, says every phase, and carries nothing that could forge a line."""

from typing import Any

import msgspec
import pytest
from facts import decided, features, settings, snapshot

from core.exchange import Inputs, SessionState
from core.explain import explanation
from core.explain.people import NARROW, text
from wasm_host.answer import Outcome

CONCEPTS = {"a/frugal.md": "# Frugal\nroute:: deepseek, deepseek-chat\nsynonyms:: on the cheap\n"}


def told(width: int = 100, *, asked: tuple[Outcome, ...] = (), **facts: Any) -> str:
    shot = snapshot(concepts=CONCEPTS)
    decision = msgspec.structs.replace(decided(shot, **facts), asked=asked)
    return text(explanation(decision, Inputs(features(**facts), SessionState()), shot), width)


def test_the_decision_comes_first_and_each_phase_has_a_block() -> None:
    lines = told(last_user="do it on the cheap").splitlines()
    assert lines[0] == "deepseek,deepseek-chat   phase pattern, reason concept:frugal"
    blocks = [line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("   ")]
    assert blocks == [
        "snapshot", "explicit", "runtime", "custom", "pattern", "default", "sticky", "fallback", "candidates,",
    ]  # fmt: skip
    [match] = [line for line in lines if line.startswith("      frugal ")]
    assert match.endswith("priority 50, pattern: 6-18 'on the cheap'")
    assert "  default   not reached: the pattern phase decided" in lines


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    found = told(
        width, last_user="do it on the cheap " * 20, token_count=70_000, images=2, tools=("a",), max_tokens=9_999_999
    )
    assert max(map(len, found.splitlines())) <= width
    assert told(1) == told(NARROW)


def test_nothing_forges_a_line_or_commands_the_terminal() -> None:
    found = told(model="x\x1b[2Jy\nfoo\u202e", last_user="on the cheap\x1b[31m")
    assert all(line.isprintable() for line in found.splitlines())
    answer = explanation(decided(model="nobody,m"), Inputs(features(model="nobody,m")), snapshot())
    answer["decision"]["refusal"]["message"] = "no\x1b[2J\nmine,m   phase default"
    assert text(answer).splitlines()[0] == "refused with 404: no [2J mine,m   phase default"


def test_a_refusal_is_the_first_line() -> None:
    assert told(model="nobody,m").startswith("refused with 404: ")
    assert "candidates" not in told(model="nobody,m")


def test_what_is_not_known_is_a_question_mark() -> None:
    shot = snapshot(settings(default="openrouter,nobody/unknown", fallback=[]))
    lines = text(explanation(decided(shot), Inputs(features()), shot)).splitlines()
    assert lines[-2].split() == ["1", "openrouter,nobody/unknown", "100", "0", "?", "?"]
    assert "not known whether it serves: context_window" in lines[-1]
