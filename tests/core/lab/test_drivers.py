"""Which answers of rules are made again, and which are taken from the record."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from facts import settings, snapshot
from relived import ABSTAINS, CHEAPEST, COIN, CONCEPTS, LOOPS, READS, TEXT, TRAPS, live, ruled

from core.decision_record import Record, canonical
from core.lab.again import NotCaptured, again
from core.lab.drivers import BY_MACHINE, BY_WORDS, Answers, CannotRun, captured, drive, missing, unchanged
from core.routing.snapshot import Snapshot
from wasm_host import frames
from wasm_host.sandbox import Sandbox

WISH = "please do it on the cheap, and tell nobody"


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


class Forbidden:
    """Where nothing may be run."""

    def run(self, ask: frames.Ask) -> list[frames.Result]:
        raise AssertionError(ask)


def lived(box: Sandbox, record: Record, shot: Snapshot, **more: Any) -> Answers:
    """The record decided again, equal to what it was."""
    box.load(shot.rules.rules)
    answers = Answers(box, record.asked, there=captured(record, shot), **more)
    decision = drive(again(record, shot, same_patterns=True), answers)
    assert canonical(decision) == canonical(record.decision)
    return answers


@pytest.mark.parametrize(
    ("module", "code"), [(ABSTAINS, "abstain"), (CHEAPEST, "route"), (TRAPS, "trap"), (LOOPS, "fuel"), (COIN, "route")]
)
def test_what_a_rule_says_of_itself_is_said_again(tmp_path: Path, box: Sandbox, module: str, code: str) -> None:
    shot = ruled(tmp_path, {"one": module})
    record = live(shot, seed=7)
    answers = lived(box, record, shot)
    [then], [now] = record.asked, answers.given
    assert now.code == code
    assert not answers.taken
    assert msgspec.structs.replace(now, micros=0, log="") == msgspec.structs.replace(then, micros=0)


@pytest.mark.parametrize("code", ["timeout", "crash", "skipped"])
@pytest.mark.parametrize("fail", ["next", "deny"])
def test_what_depended_on_the_machine_is_taken(tmp_path: Path, box: Sandbox, code: str, fail: str) -> None:
    shot = ruled(tmp_path, {"one": CHEAPEST}, {"one": {"fail": fail}})
    record = live(shot)
    denial = {"deny_status": 503, "deny_message": "rule one failed"} if fail == "deny" else {}
    then = msgspec.structs.replace(record.asked[0], code=code, route="", score=None, message="as it was", **denial)
    answers = Answers(Forbidden(), [then])
    decision = drive(again(record, shot, same_patterns=True), answers)
    assert [(each.rule, each.why) for each in answers.taken] == [("one", BY_MACHINE)]
    assert (decision.phase, decision.refusal is None) == (("custom", False) if fail == "deny" else ("default", True))


def test_a_request_that_was_too_large_for_a_rule_still_is(tmp_path: Path, box: Sandbox) -> None:
    shot = ruled(tmp_path, {"one": CHEAPEST}, {"one": {"limits": {"request": 64}}})
    record = live(shot)
    assert record.asked[0].code == "skipped"
    assert not lived(box, record, shot).taken
    open_breaker = msgspec.structs.replace(record.asked[0], message="its breaker is open")
    answers = Answers(box, [open_breaker])
    drive(again(record, shot, same_patterns=True), answers)
    assert answers.given == [open_breaker]


def test_words_that_are_not_there_leave_the_recorded_answer(tmp_path: Path, box: Sandbox) -> None:
    shot = ruled(tmp_path, {"reads": READS, "blind": READS}, {"reads": TEXT})
    record = live(shot, last_user=WISH)
    answers = lived(box, record, shot)
    assert [(each.rule, each.why) for each in answers.taken] == [("reads", BY_WORDS)]
    assert WISH.encode() not in msgspec.json.encode(record)
    assert not lived(box, live(shot, last_user=WISH, capture=True), shot).taken


def test_a_rule_that_nobody_asked_then_needs_the_words(tmp_path: Path, box: Sandbox) -> None:
    record = live(snapshot(settings(), CONCEPTS), last_user=WISH)
    shot = ruled(tmp_path, {"reads": READS}, {"reads": TEXT})
    with pytest.raises(NotCaptured, match=r"rule reads, which reads request\.last_user"):
        drive(again(record, shot, same_patterns=True), Answers(box, record.asked))


def test_conversation_and_headers_come_back_as_they_were_sent(tmp_path: Path, box: Sandbox) -> None:
    wants = ["request.messages", "request.system", "headers[x-team]"]
    shot = ruled(tmp_path, {"reads": READS}, {"reads": {"input": wants, "grant": wants}})
    sent = msgspec.Raw(b'[ {"role":"user" ,\n"content":"\\u00e9"} ]')
    granted = {"messages": sent, "system": "be kind", "headers": {}}
    record = live(shot, granted=granted, capture=True)
    assert b"\n" not in msgspec.json.encode(record)
    assert not lived(box, record, shot).taken
    assert captured(record, shot) == frozenset(wants)
    assert captured(record, None) == frozenset(wants[:2])


def test_another_module_of_the_name_is_run(tmp_path: Path, box: Sandbox) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    record = live(ruled(tmp_path / "a", {"one": ABSTAINS}))
    shot = ruled(tmp_path / "b", {"one": CHEAPEST})
    box.load(shot.rules.rules)
    answers = Answers(box, record.asked)
    decision = drive(again(record, shot, same_patterns=True), answers)
    assert (decision.reason, answers.given[0].code) == ("rule:one", "route")


def test_without_rerunning_only_what_is_shown_something_else_is_run(tmp_path: Path, box: Sandbox) -> None:
    shot = ruled(tmp_path, {"one": CHEAPEST})
    record = live(shot)
    drive(again(record, shot, same_patterns=True), Answers(Forbidden(), record.asked, rerun=False))
    other = msgspec.structs.replace(record.asked[0], seen="0" * 16)
    box.load(shot.rules.rules)
    answers = Answers(box, [other], rerun=False)
    drive(again(record, shot, same_patterns=True), answers)
    assert answers.given[0].seen == record.asked[0].seen


def test_a_rule_that_cannot_be_run_here_is_no_verdict_on_it(tmp_path: Path) -> None:
    shot = ruled(tmp_path, {"one": CHEAPEST})
    record = live(shot)
    with Sandbox() as empty, pytest.raises(CannotRun, match="rule one: crash: the artifact is gone"):
        drive(again(record, shot, same_patterns=True), Answers(empty, record.asked))


def test_the_seed_is_an_input(tmp_path: Path, box: Sandbox) -> None:
    shot = ruled(tmp_path, {"coin": COIN})
    records = [live(shot, seed=seed) for seed in range(16)]
    assert {record.decision.reason for record in records} == {"rule:coin"}
    assert len({str(record.decision.target) for record in records}) == 2
    for record in records:
        lived(box, record, shot)


def test_rules_that_say_the_same_in_two_snapshots(tmp_path: Path) -> None:
    routes = {"routes": ["deepseek,deepseek-chat"], "input": ["request.token_count"]}
    operator = {"narrow": routes, "sees": {"input": ["targets.name"]}}
    shot = ruled(tmp_path, {"narrow": CHEAPEST, "any": ABSTAINS, "sees": ABSTAINS}, operator)
    assert unchanged(shot, shot) == {"narrow", "any", "sees"}
    more = snapshot(settings(fallback=["openrouter,some/other"]), CONCEPTS, shot.rules)
    assert shot.target_names < more.target_names
    assert unchanged(shot, more) == {"narrow"}


def test_what_a_rule_reads(tmp_path: Path) -> None:
    wants = ["request.last_user[:10]", "headers[x-team]", "session", "targets"]
    [rule] = ruled(tmp_path, {"one": ABSTAINS}, {"one": {"input": wants, "grant": wants}}).rules.rules
    assert missing(rule, ()) == ["headers[x-team]", "request.last_user"]
    assert missing(rule, {"headers[x-team]", "request.last_user"}) == []
