"""The oracle: what an exchange was, whatever came back, and whether an honest proxy may have answered so.

COMPLETE        200, the transport ended properly, the dialect's terminal marker, every word of this request's answer
HONEST_ERROR    a status from 400 on with the dialect's error; or a stream with a true prefix of the answer, then the
                dialect's error event, then a cut without a clean end
VIOLATION       anything else
"""

import json
import re
from enum import Enum
from typing import Final, NamedTuple

from prove.chain import Content
from prove.faultd_table import May
from prove.oracle_http import Broken, End, Reply, events
from prove.oracle_reading import Client, Wrong, loads

_LINK: Final = re.compile(r"([0-9a-f]{12})[ktj][0-9a-f]{12}\.")
#: RFC 9110, section 10.2.3: seconds or a date.
_RETRY_AFTER: Final = re.compile(r"\d{1,10}(\.\d+)?|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")


class Kind(Enum):
    """Of an exchange."""

    COMPLETE = "COMPLETE"
    HONEST_ERROR = "HONEST_ERROR"
    VIOLATION = "VIOLATION"


class Verdict(NamedTuple):
    """`why` is empty for what is complete."""

    kind: Kind
    why: str = ""


class Case(NamedTuple):
    """One request: who asked, how, and the answer that belongs to it. `secrets` must be in no byte that comes back;
    `ends_early`: a true prefix counts as the whole."""

    client: Client
    streamed: bool
    nonce: str
    content: Content
    may: May
    secrets: tuple[bytes, ...] = ()
    ends_early: bool = False


def judge(case: Case, reply: Reply) -> Verdict:
    """What it was, and VIOLATION too if it is not what `case.may` allows."""
    try:
        verdict = _read(case, reply)
    except (Wrong, Broken) as exc:
        return Verdict(Kind.VIOLATION, str(exc))
    except (KeyError, TypeError, AttributeError, IndexError) as exc:
        return Verdict(Kind.VIOLATION, f"not the dialect's shape: {type(exc).__name__}: {exc}")
    return allowed(case, verdict)


def allowed(case: Case, verdict: Verdict) -> Verdict:
    """The same, or VIOLATION if it is not what `case.may` allows."""
    if verdict.kind is Kind.COMPLETE and case.may is May.ERROR:
        return Verdict(Kind.VIOLATION, "a complete answer that the provider never gave")
    if verdict.kind is Kind.HONEST_ERROR and case.may is May.COMPLETE:
        return Verdict(Kind.VIOLATION, f"a good answer was lost: {verdict.why}")
    return verdict


def _read(case: Case, reply: Reply) -> Verdict:
    if reply.end is End.HANG:
        raise Wrong(f"hangs: no end, {len(reply.body)} bytes of status {reply.status}")
    if reply.broken:
        raise Wrong(f"no HTTP: {reply.broken}")
    if not reply.status:
        raise Wrong(f"no answer: {reply.end.value}")
    _check_head(case, reply)
    if reply.status >= 400:
        return _refusal(case, reply)
    if reply.status != 200:
        raise Wrong(f"status {reply.status}")
    return _streamed(case, reply) if case.streamed else _whole(case, reply)


def _check_head(case: Case, reply: Reply) -> None:
    check_secrets(case, reply)
    for name, value in reply.headers:
        if name in ("set-cookie", "x-injected", "content-encoding"):
            raise Wrong(f"header {name}")
        if name == "retry-after" and not _RETRY_AFTER.fullmatch(value):
            raise Wrong(f"retry-after: {value}")


def check_secrets(case: Case, reply: Reply) -> None:
    """None in any byte."""
    headers = "\n".join(f"{name}: {value}" for name, value in reply.headers).encode("latin-1", "replace")
    if any(secret in reply.body + headers for secret in case.secrets):
        raise Wrong("a secret is in the answer")


def _refusal(case: Case, reply: Reply) -> Verdict:
    if reply.end is not End.CLEAN or not 400 <= reply.status <= 599:
        raise Wrong(f"status {reply.status}, then {reply.end.value}")
    if not reply.header("content-type").startswith("application/json"):
        raise Wrong(f"an error of type {reply.header('content-type')!r}")
    error = loads(reply.body)
    case.client.check_error(error)
    return Verdict(Kind.HONEST_ERROR, f"{reply.status} {error['error']['message'][:100]}")


def _whole(case: Case, reply: Reply) -> Verdict:
    if reply.end is not End.CLEAN:
        raise Wrong(f"200 and a whole answer, then {reply.end.value}")
    said = case.client.whole(loads(reply.body))
    check_words(case, said.content)
    return Verdict(Kind.COMPLETE)


def _streamed(case: Case, reply: Reply) -> Verdict:
    if not reply.header("content-type").startswith("text/event-stream"):
        raise Wrong(f"a stream of type {reply.header('content-type')!r}")
    said = case.client.stream(events(reply.body))
    if said.error:
        check_prefix(case, said.content)
        if reply.end is End.CLEAN:
            raise Wrong("a clean end after the error event")
        return Verdict(Kind.HONEST_ERROR, "error event")
    if not said.terminal and not (said.finished and reply.end is End.CLEAN and case.may is May.EITHER):
        check_prefix(case, said.content)
        raise Wrong(f"silent end ({reply.end.value}): neither a terminal marker nor an error event")
    if reply.end is not End.CLEAN:
        raise Wrong(f"a terminal marker, then {reply.end.value}")
    check_words(case, said.content)
    return Verdict(Kind.COMPLETE)


def check_words(case: Case, got: Content) -> None:
    """Every word, and no other."""
    if case.ends_early:
        check_prefix(case, got)
        return
    _check_foreign(case, got)
    due = case.content
    if (got.thinking, got.text) != (due.thinking, due.text) or not _same_json(got.tool, due.tool):
        lengths = ", ".join(f"{len(one)} of {len(other)}" for one, other in zip(got, due, strict=True))
        raise Wrong(f"success, but the words are not those of the answer ({lengths} characters)")


def _same_json(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


def check_prefix(case: Case, got: Content) -> None:
    _check_foreign(case, got)
    for lane, one, due in zip(Content._fields, got, case.content, strict=True):
        if not due.startswith(one):
            raise Wrong(f"the {lane} is no prefix of the answer's")


def _check_foreign(case: Case, got: Content) -> None:
    foreign = {nonce for words in got for nonce in _LINK.findall(words)} - {case.nonce}
    if foreign:
        raise Wrong(f"foreign words, of {foreign}")
