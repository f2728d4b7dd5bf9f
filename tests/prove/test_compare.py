"""The comparison: what a lenient judge still calls a violation, the same requests for both, a table that adds up."""

import json
import sys
from pathlib import Path

import pytest

from prove import chain, compare, installing, rival
from prove.faultd_table import FAULTS, May
from prove.leniency import MEANING, Outcome, weigh
from prove.oracle import Case, Kind, Verdict
from prove.oracle_http import End, Reply
from prove.oracle_reading import CLIENTS
from prove.rig import PORTS, Ask

NONCE, OTHER, SECRET = "0123456789ab", "ba9876543210", b"sk-secret"
SAID = chain.content(chain.Shape(thinking=2, text=3), NONCE)
ANTHROPIC, OPENAI = 0, 1
SSE, JSON = [("content-type", "text/event-stream")], [("content-type", "application/json")]
HALF = SAID.text[: chain.LINK]
DONE, OPENAI_ERROR = b"data: [DONE]\n\n", b'data: {"error":{"message":"it broke"}}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
CUT_MARK = b'data: {"type":"error","error":{"type":"api_error","message":"m"}}\n\n'


def case(may: May, *, client: int = OPENAI, streamed: bool = True) -> Case:
    return Case(CLIENTS[client], streamed, NONCE, SAID, may, (SECRET,))


def chunk(text: str, *, thinking: str = "", finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text, "reasoning_content": thinking}, "finish_reason": finish}
    return b"data: %s\n\n" % json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode()


def words(text: str, kind: str = "text") -> bytes:
    delta = {"type": "content_block_delta", "index": 5, "delta": {"type": f"{kind}_delta", kind: text}}
    return b"data: %s\n\n" % json.dumps(delta).encode()


def outcome(case: Case, body: bytes, end: End = End.CLEAN, status: int = 200) -> str:
    return weigh(case, Reply(status, SSE if case.streamed and status == 200 else JSON, body, end))[0].value


WHOLE = chunk(SAID.text, thinking=SAID.thinking) + chunk("", finish="stop")


@pytest.mark.parametrize(
    ("body", "end", "may", "expected"),
    [
        (WHOLE + DONE, End.CLEAN, May.COMPLETE, "COMPLETE"),
        (WHOLE, End.CLEAN, May.COMPLETE, "LOOSE"),
        (chunk(SAID.text, finish="stop") + DONE, End.CLEAN, May.COMPLETE, "LOOSE"),
        (chunk(HALF) + OPENAI_ERROR, End.CUT, May.ERROR, "HONEST_ERROR"),
        (chunk(HALF) + OPENAI_ERROR, End.CLEAN, May.ERROR, "LOOSE"),
        (chunk(HALF) + OPENAI_ERROR + DONE, End.CLEAN, May.ERROR, "LOOSE"),
        (chunk(HALF) + OPENAI_ERROR, End.CLEAN, May.COMPLETE, "LOST"),
        (chunk(HALF), End.RESET, May.ERROR, "CUT"),
        (chunk(HALF), End.CUT, May.COMPLETE, "LOST"),
        (chunk(HALF), End.CLEAN, May.ERROR, "VIOLATION"),
        (chunk(HALF), End.HANG, May.ERROR, "HANG"),
        (WHOLE + DONE, End.CLEAN, May.ERROR, "VIOLATION"),
        (chunk(HALF, finish="stop") + DONE, End.CLEAN, May.ERROR, "VIOLATION"),
        (chunk(HALF, finish="stop") + DONE, End.CLEAN, May.EITHER, "VIOLATION"),
        (chunk(HALF[:-3] + "xyz") + OPENAI_ERROR, End.CLEAN, May.ERROR, "VIOLATION"),
        (chunk(chain.links(OTHER, "t", 1)), End.CUT, May.ERROR, "VIOLATION"),
        (b'data: {"broken\n\n', End.CUT, May.ERROR, "VIOLATION"),
    ],
)
def test_a_stream_is_judged_by_what_it_tells(body: bytes, end: End, may: May, expected: str) -> None:
    assert outcome(case(may), body, end) == expected


def test_what_is_no_success_in_http_is_none() -> None:
    assert outcome(case(May.COMPLETE), WHOLE + DONE, status=302) == "VIOLATION"
    broken = Reply(200, SSE, WHOLE + DONE, End.CUT, "chunk size")
    assert weigh(case(May.COMPLETE), broken)[0] is Outcome.VIOLATION


def test_an_anthropic_stream_may_be_in_any_order_but_must_not_lie() -> None:
    said = words(SAID.thinking, "thinking") + words(SAID.text)
    assert outcome(case(May.COMPLETE, client=ANTHROPIC), said + STOP) == "LOOSE"
    assert outcome(case(May.ERROR, client=ANTHROPIC), said + STOP) == "VIOLATION"
    assert outcome(case(May.ERROR, client=ANTHROPIC), said + CUT_MARK) == "LOOSE"
    assert outcome(case(May.ERROR, client=ANTHROPIC), said) == "VIOLATION"


@pytest.mark.parametrize("client", [ANTHROPIC, OPENAI])
def test_any_status_from_400_on_tells_an_error(client: int) -> None:
    whole = case(May.ERROR, client=client, streamed=False)
    assert outcome(whole, b"Internal Server Error", status=500) == "LOOSE"
    assert outcome(whole._replace(may=May.COMPLETE), b"Internal Server Error", status=500) == "LOST"
    assert outcome(whole, b"it was " + SECRET, status=401) == "VIOLATION"
    assert outcome(whole, b"", status=302) == "VIOLATION"
    assert outcome(whole, b"<html>", status=200) == "VIOLATION"
    assert outcome(whole, b'{"error":"it broke"}', status=200) == "LOOSE"
    assert outcome(whole, b'{"cho', End.CUT) == "CUT"
    assert outcome(whole, b"", End.CUT, status=0) == "VIOLATION"


def test_a_whole_answer_must_have_the_words() -> None:
    def body(text: str, finish: str | None = "stop") -> bytes:
        call = [{"index": 3, "function": {"arguments": ""}}]
        return json.dumps(
            {"choices": [{"finish_reason": finish, "message": {"content": text, "tool_calls": call}}]}
        ).encode()

    whole = case(May.COMPLETE, streamed=False)
    assert outcome(whole, body(SAID.text)) == "LOOSE"
    assert outcome(whole, body(HALF)) == "VIOLATION"
    assert outcome(whole, body(SAID.text, None)) == "VIOLATION"
    assert outcome(whole._replace(may=May.ERROR), body(SAID.text)) == "VIOLATION"


def test_both_are_asked_the_same_in_every_form() -> None:
    plans = compare.plan(2)
    ours, theirs = ([ask for asks in made for ask in asks] for made in (plans, compare.plan(2, rival.BETWEEN)))
    assert [ask.case for ask in ours] == [ask.case for ask in theirs]
    assert [ask.data.replace(b",", b"-") for ask in ours] == [ask.data.replace(b",", b"-") for ask in theirs]
    forms = {(ask.fault, ask.case.client.name, ask.upstream, ask.case.streamed) for ask in ours}
    both = [(len(rival.MODELS.keys() & fault.dialects), len(fault.streamed)) for fault in FAULTS.values()]
    assert len(ours) == 2 * len(forms) == 4 * sum(dialects * ways for dialects, ways in both)


def test_every_request_has_a_model_there() -> None:
    made = rival.configuration({port: number for number, port in enumerate(PORTS, 1)})
    names = {model["model_name"] for model in made["model_list"]}
    asked = {
        json.loads(ask.data.partition(b"\r\n\r\n")[2])["model"]
        for asks in compare.plan(1, rival.BETWEEN)
        for ask in asks
    }
    assert asked == names
    assert all(
        model["litellm_params"]["api_base"].split("/")[2].startswith("127.0.0.1:") for model in made["model_list"]
    )


def test_the_table_adds_up() -> None:
    [ask, *_] = [ask for ask in compare.plan(1)[0] if ask.fault == "refused"]
    tallies = {"one": tally(ask, (End.HANG, End.CUT)), "other": tally(ask, (End.CUT,))}
    printed = list(compare.lines(tallies))
    assert len([line for line in printed if line.split(" ")[0] in FAULTS]) == len(FAULTS)
    [total] = [line for line in printed if line.startswith("sum ")]
    assert total.replace("|", "").split() == ["sum", *".....11", *".....1."]
    assert "\none: 2 violations and hangs in 2 requests" in printed
    assert all(any(line.startswith(name.value) for line in printed) for name in MEANING)
    assert MEANING.keys() == set(Outcome)


def tally(ask: Ask, ends: tuple[End, ...]) -> compare.Tally:
    made = compare.Tally()
    for end in ends:
        made.add(ask, Reply(0, [], b"", end), Verdict(Kind.COMPLETE))
    return made


def test_what_cannot_be_installed_is_said(tmp_path: Path) -> None:
    with pytest.raises(installing.NotInstalled, match="no such package"):
        installing._run(tmp_path, sys.executable, "-c", "raise SystemExit('no such package')")
    assert (
        installing._run(tmp_path, sys.executable, "-c", "import os; print(os.environ['HOME'])").strip().endswith("home")
    )
