from pathlib import Path

import msgspec
import pytest
from wasm_modules import ROUTE, answering, load, running, seeing

from wasm_host import trial
from wasm_host.rule import Rule
from wasm_host.trial import Reply

#: A rule that runs out of fuel for a request that starts with `[`, and answers others.
SOMETIMES = "(loop $l (br_if $l (i32.eq (i32.load8_u (local.get 0)) (i32.const 91)))) (i64.const 0)"


def rule_of(folder: Path, text: str) -> Rule:
    [rule] = load(folder, {"mine.wat": text}).rules
    return rule


def test_replies_come_in_the_order_of_the_questions(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, seeing())
    requests = [f'{{"number":{number}}}'.encode() for number in range(5)]
    replies = trial.ask([trial.question(rule, request) for request in requests])
    assert [reply.log for reply in replies] == [f"info: {request.decode()}" for request in requests]
    assert all(reply.fault == "" and reply.fuel > 0 and len(reply.nanos) == 1 for reply in replies)


def test_a_reply_holds_the_raw_answer_unjudged(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, answering("this is no JSON"))
    [reply] = trial.ask([trial.question(rule, b"{}")])
    assert (reply.fault, reply.answer) == ("", b"this is no JSON")


def test_a_fault_ends_one_call_and_not_the_others(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, running(SOMETIMES))
    replies = trial.ask([trial.question(rule, request) for request in (b"{}", b"[", b"{}")])
    assert [reply.fault for reply in replies] == ["", "fuel", ""]
    assert replies[0].repeatable == replies[2].repeatable != replies[1].repeatable


def test_calls_are_counted_and_timed_each(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, answering(ROUTE))
    [reply] = trial.ask([trial.question(rule, b"{}", calls=7)])
    assert len(reply.nanos) == 7
    assert all(nanos > 0 for nanos in reply.nanos)


def test_what_killed_a_process_is_a_crash_and_the_rest_is_still_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = rule_of(tmp_path, answering(ROUTE))
    broken = msgspec.structs.replace(trial.question(rule, b"{}"), artifact=tmp_path / "gone")
    good = trial.question(rule, b"{}")
    replies = trial.ask([good, broken, good])
    assert [reply.fault for reply in replies] == ["", "crash", ""]
    assert "took its process with it (crash, status 1)" in replies[1].message
    monkeypatch.setattr(trial, "_DEATHS_MAX", 2)
    replies = trial.ask([broken, broken, broken, good])
    assert [reply.fault for reply in replies] == ["crash"] * 4
    assert replies[3].message == "not asked: 2 processes died before"


def test_a_child_gets_no_more_than_its_cpu_time_allows(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, answering(ROUTE))
    slow = msgspec.structs.replace(trial.question(rule, b"{}"), timeout_ms=2000)
    assert len(trial._batch([slow] * 25)) == 10
    assert len(trial._batch([msgspec.structs.replace(slow, calls=1000)] * 2)) == 1


def test_what_time_or_a_crash_ended_is_not_compared() -> None:
    assert Reply(fault="timeout", fuel=1).repeatable == Reply(fault="timeout", fuel=2).repeatable == ()
    assert Reply(fault="trap", fuel=1).repeatable != Reply(fault="trap", fuel=2).repeatable


def test_a_reply_that_was_cut_off_is_none() -> None:
    data = msgspec.msgpack.encode(Reply(answer=b"x"))
    framed = len(data).to_bytes(4, "little") + data
    assert trial._replies(framed * 2) == [Reply(answer=b"x")] * 2
    for cut in (1, 3, 5, len(framed) - 1):
        assert trial._replies(framed + framed[:cut]) == [Reply(answer=b"x")]
