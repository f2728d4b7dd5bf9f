"""What is kept of a decision: enough to make it again, and none of the user's words unless they were captured. Pure.

record      inputs without words, matches, rules' answers; what was decided, and what came of it
canonical   a decision as bytes that are equal whenever the decisions are: no words, no time that anything took
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from core.errors import STATUS_OF_TYPE
from core.exchange import Attempt, Cost, Decision, Exchange, Features, Found, Inputs, Step, Target
from core.messages import Usage
from core.redaction import NOTHING as NO_SECRETS
from core.redaction import Redactor
from core.routing.decide import found_in
from core.routing.snapshot import Snapshot
from wasm_host.abi import FAULTS
from wasm_host.answer import Outcome

VERSION: Final = 1
#: What a provider may make up as it likes, and so quote what it was sent, is kept only if it is one of these.
_ENDS: Final = ("client_left", "refused", "answered", "cut", "stalled", "not_sent", "unknown")
ERRORS: Final = frozenset({*STATUS_OF_TYPE, "insufficient_quota", *_ENDS})
STOP_REASONS: Final = frozenset(
    {
        "", "end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "compaction",
        "model_context_window_exceeded",
    }
)  # fmt: skip
OTHER: Final = "other"
#: What a rule that saw text may have put the user's words into.
_WORDS: Final = ("reason", "message", "deny_message")


class Result(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What came of it; see `Exchange`. `ms` is how long the request took."""

    status: int = 0
    error: str = ""
    answered_by: Target | None = None
    attempts: tuple[Attempt, ...] = ()
    usage: Usage = Usage()
    lost: Usage = Usage()
    cost: Cost | None = None
    stop_reason: str = ""
    cache: str = ""
    simulated: bool = False
    whole: bool = False
    ms: int = 0


class Words(Struct, frozen=True, omit_defaults=True):
    """Text that rules were granted, where it is captured: see `Features`. None was granted to no rule.

    `messages` is a string, the JSON as the client wrote it: rules are shown that, blanks and all.
    """

    last_user: str | None = None
    granted: dict[str, Any] = {}


class Record(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One decision. `at_ms` is Unix time; `chars` is the length of the human's words.

    The features hold no words; `matches` is what patterns find in them, whether or not that phase was asked.
    """

    version: int = VERSION
    request_id: str
    at_ms: int
    snapshot: str
    endpoint: str = ""
    inputs: Inputs
    chars: int = 0
    words: Words | None = None
    matches: tuple[Found, ...] = ()
    asked: tuple[Outcome, ...] = ()
    decision: Decision
    result: Result = Result()


def record_of(
    exchange: Exchange, snapshot: Snapshot, ms: float, *, capture: bool, known: Redactor = NO_SECRETS
) -> Record | None:
    """The record of a request that is over; None if it was not decided. Words that hold a `known` secret are none."""
    decision, inputs = exchange.decision, exchange.inputs
    if decision is None or inputs is None:
        return None
    text = inputs.features.last_user
    matches = found_in(snapshot, text) if decision.matches is None else decision.matches
    return Record(
        request_id=exchange.request_id,
        at_ms=exchange.began_ms,
        snapshot=exchange.snapshot,
        endpoint=exchange.endpoint,
        inputs=msgspec.structs.replace(inputs, features=without_words(inputs.features)),
        chars=len(text),
        words=_captured(inputs.features, snapshot, known) if capture else None,
        matches=bare(matches),
        asked=tuple(map(cleared, decision.asked)),
        decision=plain(decision),
        result=_result(exchange, ms),
    )


def without_words(features: Features) -> Features:
    """The same features without any text of the request."""
    return msgspec.structs.replace(features, last_user="", granted={})


def words_in(exchange: Exchange) -> int:
    """About what waiting costs: words, and what rules logged, which may be large; the rest is small."""
    features = exchange.inputs.features if exchange.inputs else None
    if features is None:
        return 0
    asked = exchange.decision.asked if exchange.decision else ()
    size = len(features.last_user) + sum([len(outcome.log) for outcome in asked])
    for text in features.granted.values():
        size += memoryview(text).nbytes if isinstance(text, msgspec.Raw) else _characters(text)
    return size


def _characters(text: str | Mapping[str, str]) -> int:
    """Of a text, or of headers."""
    return len(text) if isinstance(text, str) else sum(map(len, text.values()))


def _captured(features: Features, snapshot: Snapshot, known: Redactor) -> Words | None:
    """What some rule of the snapshot was granted."""
    last_user = features.last_user if "request.last_user" in snapshot.rules.wants else None
    if last_user is None and not features.granted:
        return None
    words = Words(last_user, features.granted | _as_sent(features.granted))
    return None if known.holds(msgspec.json.encode(words).decode()) else words


def _as_sent(granted: Mapping[str, Any]) -> dict[str, str]:
    return {"messages": bytes(granted["messages"]).decode("utf-8", "replace")} if "messages" in granted else {}


def granted_of(words: Words) -> dict[str, Any]:
    """`Features.granted` of the words: the inverse of capturing them."""
    sent = words.granted.get("messages")
    return words.granted | ({"messages": msgspec.Raw(sent.encode())} if isinstance(sent, str) else {})


def _result(exchange: Exchange, ms: float) -> Result:
    return Result(
        status=exchange.status,
        error=known_error(exchange.error),
        answered_by=exchange.answered_by,
        attempts=tuple(exchange.attempts),
        usage=exchange.usage,
        lost=exchange.lost,
        cost=exchange.cost,
        stop_reason=known_end(exchange.stop_reason),
        cache=exchange.cache,
        simulated=exchange.simulated,
        whole=exchange.whole,
        ms=round(ms),
    )


def known_error(error: str) -> str:
    """A type of error of ours, or how an answer ended; what a provider made up may quote anything."""
    kind, _, where = error.partition(": ")
    return error if not error or (kind in ERRORS and where in {"", "after the first byte"}) else OTHER


def known_end(stop_reason: str) -> str:
    """Why an answer ended, in one of Anthropic's words; a provider may make up others."""
    return stop_reason if stop_reason in STOP_REASONS else OTHER


def canonical(decision: Decision) -> bytes:
    """Equal for equal decisions: same phases, same figures, same order; see `plain`."""
    return msgspec.json.encode(plain(decision), order="deterministic")


def plain(decision: Decision) -> Decision:
    """The same decision without what carries the user's words or differs from run to run: what rules that saw text said
    for people, which pattern stood where, how long a rule ran. Rules' answers themselves are another part of a record.
    """
    saw_text = {outcome.rule for outcome in decision.asked if outcome.saw_text}
    return msgspec.structs.replace(
        decision,
        trace=tuple(_plain_step(step, saw_text) for step in decision.trace),
        asked=(),
        matches=None,
    )


def _plain_step(step: Step, saw_text: Iterable[str]) -> Step:
    if step.phase == "custom" and "rule" in step.detail:
        left_out = {"micros", *(_WORDS if step.detail["rule"] in saw_text else ())}
        return Step(step.phase, step.outcome, {key: each for key, each in step.detail.items() if key not in left_out})
    if "spans" in step.detail:
        return Step(step.phase, step.outcome, step.detail | {"spans": [span[:2] for span in step.detail["spans"]]})
    return step


def bare(matches: Sequence[Found]) -> tuple[Found, ...]:
    """What was found, without the words that stand there."""
    return tuple(
        msgspec.structs.replace(found, spans=tuple((start, end, "") for start, end, _ in found.spans))
        for found in matches
    )


def cleared(outcome: Outcome) -> Outcome:
    """Without words that may be the user's; a fault's are the host's, but quote the guest. What a client is told of a
    failed rule quotes nobody, and decides what the decision says.
    """
    if outcome.saw_text:
        denial = outcome.deny_message if outcome.code in FAULTS else ""
        return msgspec.structs.replace(outcome, log="", reason="", message="", deny_message=denial)
    return msgspec.structs.replace(outcome, log="")


decode = msgspec.json.Decoder(Record).decode
