"""The proofs themselves: what they count, and that they see a broken promise. The whole of them is `make prove`."""

from pathlib import Path

import pytest

from prove import answers, attacks, guests, kills, leaks, storm
from prove.profile import PROFILES
from prove.scene import Client, Seen, outcomes
from prove.section import Section
from prove.vectors import TARGETS, VIEW
from wasm_host import abi
from wasm_host.answer import Illegal, Outcome
from wasm_host.inline import InlineRunner
from wasm_host.registry import load_rules

#: With patience: a busy machine is no guest's fault.
GRANTED = {
    "grant": ["request.last_user"],
    "input": ["request.last_user"],
    "limits": {"timeout_ms": abi.LIMITS["timeout_ms"].cap},
}


def asked(folder: Path, rule: str, words: str) -> Outcome:
    (folder / "rule.wat").write_text(rule)
    [one] = load_rules(folder, {"rule": GRANTED}, cache=folder / "cache").rules
    view = VIEW | {"request": VIEW["request"] | {"last_user": words}}
    [outcome] = InlineRunner().run([one], view, TARGETS)
    return outcome


def seen(begun: float, ms: float, reason: str = "default", status: int = 200) -> Seen:
    return Seen(begun, ms, status, reason, "", [])


def test_a_guest_says_what_it_read_and_logs_it(tmp_path: Path) -> None:
    outcome = asked(tmp_path, guests.speaking('{"abstain":true,"reason":"', '"}'), "w" * 70 + "end")
    assert (outcome.code, outcome.reason) == ("abstain", "w" * 64)
    assert "w" * 64 in outcome.log


def test_a_guest_says_what_it_is_told(tmp_path: Path) -> None:
    outcome = asked(tmp_path, guests.echoing(), b'{"route":"c,d","reason":"told"}'.hex())
    assert (outcome.code, outcome.route, outcome.reason) == ("route", "c,d", "told")


@pytest.mark.parametrize(("rule", "code"), [(guests.trapping(), "trap"), (guests.looping(), "fuel")])
def test_guests_that_fail(tmp_path: Path, rule: str, code: str) -> None:
    assert asked(tmp_path, rule, "hello").code == code


def test_a_version_is_whole_or_no_version(tmp_path: Path) -> None:
    outcome = asked(tmp_path, storm.version(7).decode(), "hello")
    assert storm.number_of(outcome.reason) == 7
    assert storm.number_of(outcome.reason.replace("7", "8", 1)) is None
    assert storm.number_of("hello") is None


def test_a_small_storm(tmp_path: Path) -> None:
    section = storm.section(tmp_path / "scene", 10)
    assert section.findings == []
    assert "10" in section.title


def test_some_answers(tmp_path: Path) -> None:
    section = answers.section(tmp_path / "scene", 400, 60)
    assert section.findings == []
    assert "route" in section.counts["judged"]
    assert "c,d" in section.counts["of which sent"]


def test_an_answer_is_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answers.meant(b'{"route":"\\u0061,b"}') == "a,b"
    assert [answers.meant(data) for data in (b'{"route":"a,B"}', b"[1]", b"{", b'{"route":["a,b"]}')] == [""] * 4
    monkeypatch.setattr(answers, "judge", lambda *_: {"code": "route", "route": "z,z"})
    assert answers._judged(b'{"route":"a,b"}') == ("route", "leads to 'z,z'")
    monkeypatch.setattr(answers, "judge", lambda *_: {"code": "route", "route": "c,d"})
    assert answers._judged(b'{"route":"a,b"}') == ("route", "leads to 'c,d'")


def test_answers_are_many_and_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [answers.answer(number) for number in range(300)]
    assert made == [answers.answer(number) for number in range(300)]
    assert len(set(made)) > 200

    def refuse(*_: object) -> None:
        raise Illegal("no")

    monkeypatch.setattr(answers, "judge", refuse)
    assert answers._judged(made[0]) == ("refused", "")


def test_a_run_of_the_prompt_is_found_anywhere() -> None:
    prompt = leaks.secret(1)
    assert leaks.leaked(prompt, f"x: {prompt[50:58]}.") == prompt[50:58]
    assert leaks.leaked(prompt, f"x: {prompt[50:57]}.") == ""
    assert leaks.secret(1) != leaks.secret(2)


def test_calm_and_attack_are_told_apart_by_time() -> None:
    client = Client([seen(1.0, 5), seen(2.0, 50), seen(1.99, 20), seen(4.0, 7)])
    assert attacks._pair(client, [(2.0, 3.0)]) == attacks.Pair(7, 50, 50)


@pytest.mark.parametrize(("attacked", "findings"), [(14.9, 0), (15.1, 1)])
def test_what_comes_too_late_is_a_finding(attacked: float, findings: int) -> None:
    section = Section("attacks")
    pairs = [attacks.Pair(10, 99, 99), attacks.Pair(10, attacked, 99), attacks.Pair(10, 10, 99)]
    attacks._compare("requests", attacks.LATER_MS, pairs, section)
    assert len(section.findings) == findings


def test_a_rule_is_back_with_its_first_answer() -> None:
    client = [seen(1.0, 10, "rule:steady"), seen(2.1, 10), seen(2.2, 30, "rule:steady")]
    assert kills.until_back(client, 2.0) == pytest.approx(230)
    assert kills.until_back(client, 3.0) == float("inf")


def test_what_is_not_answered_is_counted() -> None:
    assert Client([seen(1, 2), seen(1, 3, status=0)]).failed() == ["status 0 after 3 ms"]


def test_outcomes_are_read_from_the_metrics() -> None:
    text = 'terraphim_rule_outcomes_total{outcome="trap",rule="x"} 3.0\nterraphim_rule_outcomes_created{rule="x"} 1.0\n'
    assert outcomes(text) == {"x": {"trap": 3.0}}


def test_the_short_profile_is_about_a_twentieth() -> None:
    short, full = PROFILES["short"], PROFILES["full"]
    for name in ("kills", "file_operations", "answers", "calls", "traps", "answers_over_http"):
        assert getattr(full, name) == 20 * getattr(short, name)
    assert (full.every, full.kills, full.file_operations, full.answers) == (1, 1_000, 2_000, 100_000)
