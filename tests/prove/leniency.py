"""A lenient judge, for proxies that promise less than ours: what a client can make of an answer, not how it is told.

What `oracle` finds right stays so. What it calls a violation is read once more, with any order of events, any shape of
error, an end after an error and an answer without its reasoning allowed; only what misleads a client is left.
"""

from enum import Enum
from typing import Any, Final

from prove.faultd_table import May
from prove.oracle import Case, Kind, check_prefix, check_secrets, check_words, judge
from prove.oracle_http import Broken, End, Event, Reply, events
from prove.oracle_reading import AnthropicClient, Said, Wrong, loads, need


class Outcome(Enum):
    """Of an exchange; the value is a heading."""

    COMPLETE = "COMPLETE"
    HONEST_ERROR = "HONEST_ERROR"
    LOOSE = "LOOSE"
    CUT = "CUT"
    LOST = "LOST"
    VIOLATION = "VIOLATION"
    HANG = "HANG"


MEANING: Final = {
    Outcome.COMPLETE: "the whole answer, as the client's dialect has it",
    Outcome.HONEST_ERROR: "an error in the client's dialect; in a stream, then a cut",
    Outcome.LOOSE: "right, but not in the dialect's form: another shape of error, a clean end after it, no reasoning",
    Outcome.CUT: "nothing but the broken transport says that the answer is not whole",
    Outcome.LOST: "an error, or a cut, where the provider's answer was good",
    Outcome.VIOLATION: "a success marker that the provider never gave, a silent end, foreign or damaged words, the "
    "provider's key, or no valid answer",
    Outcome.HANG: "no end within the bound",
}


def weigh(case: Case, reply: Reply) -> tuple[Outcome, str]:
    """What it was, and for the last two why."""
    strict = judge(case, reply)
    if strict.kind is not Kind.VIOLATION:
        return Outcome(strict.kind.value), ""
    if reply.end is End.HANG:
        return Outcome.HANG, strict.why
    try:
        outcome = _loosely(case, reply)
    except (Wrong, Broken) as exc:
        return Outcome.VIOLATION, str(exc)
    except (KeyError, TypeError, AttributeError, IndexError) as exc:
        return Outcome.VIOLATION, f"no valid answer: {type(exc).__name__}: {exc}"
    return outcome, ""


def _loosely(case: Case, reply: Reply) -> Outcome:
    if reply.broken or not reply.status:
        raise Wrong(f"no valid answer: {reply.broken or reply.end.value}")
    check_secrets(case, reply)
    bad = Outcome.LOST if case.may is May.COMPLETE else Outcome.LOOSE
    if reply.status >= 400:
        return bad
    if reply.status != 200:
        raise Wrong(f"no valid answer: status {reply.status}")
    cut = Outcome.LOST if case.may is May.COMPLETE else Outcome.CUT
    if not case.streamed:
        return cut if reply.end is not End.CLEAN else _whole(case, loads(reply.body))
    said = read(case, events(reply.body))
    if said.error or not (said.terminal or said.finished):
        check_prefix(_spoken(case, said), said.content)
        if not said.error and reply.end is End.CLEAN:
            raise Wrong("silent end")
        return bad if said.error else cut
    return _success(case, said)


def _whole(case: Case, body: dict[str, Any]) -> Outcome:
    if "error" in body:
        return Outcome.LOST if case.may is May.COMPLETE else Outcome.LOOSE
    if isinstance(case.client, AnthropicClient):
        return _success(case, case.client.whole(body))
    said = Said()
    _add_openai(said, {"choices": [choice | {"delta": choice["message"]} for choice in body["choices"]]})
    need(said.finished, "no valid answer: no finish_reason")
    return _success(case, said)


def _success(case: Case, said: Said) -> Outcome:
    if case.may is May.ERROR:
        raise Wrong("a success marker that the provider never gave")
    check_words(_spoken(case, said), said.content)
    return Outcome.LOOSE


def _spoken(case: Case, said: Said) -> Case:
    """A proxy may leave out all of the reasoning."""
    return case if said.thinking else case._replace(content=case.content._replace(thinking=""))


def read(case: Case, found: list[Event]) -> Said:
    """A stream's words and markers, wherever they stand."""
    said, add = Said(), (_add_anthropic if isinstance(case.client, AnthropicClient) else _add_openai)
    for event in found:
        if event.data == "[DONE]":
            said.terminal = True
            continue
        value = loads(event.data)
        if event.name == "error" or value.get("error"):
            said.error = True
        else:
            add(said, value)
    return said


def _add_anthropic(said: Said, value: dict[str, Any]) -> None:
    delta = value.get("delta") or value.get("content_block") or {}
    said.text += delta.get("text") or ""
    said.thinking += delta.get("thinking") or ""
    said.tool += delta.get("partial_json") or ""
    said.finished |= bool(delta.get("stop_reason"))
    said.terminal |= value.get("type") == "message_stop"


def _add_openai(said: Said, value: dict[str, Any]) -> None:
    for choice in value.get("choices") or ():
        delta = choice.get("delta") or {}
        said.text += delta.get("content") or ""
        said.thinking += delta.get("reasoning_content") or delta.get("reasoning") or ""
        said.tool += "".join(
            (call.get("function") or {}).get("arguments") or "" for call in delta.get("tool_calls") or ()
        )
        said.finished |= bool(choice.get("finish_reason"))
