"""What is kept of a request that is over: enough to explain it, none of its words, and of a known size. Pure."""

from typing import Any, Final

import msgspec
from msgspec import Struct

from core.decision_record import bare, cleared, plain, without_words
from core.exchange import Attempt, Decision, Exchange, Inputs, Refusal, Target
from core.explain import explanation
from core.explain.rules import of_decision
from core.feed_summary import MOST, summary
from core.routing.snapshot import Snapshot

#: Names of tools that are kept, and bytes above which the decision is left out.
TOOLS: Final = 64
MOST_BYTES: Final = 32 * 1024
#: In place of what a rule said that may quote the user.
LEFT_OUT: Final = "(left out: the rule that said it had seen text)"


class Kept(Struct, frozen=True, omit_defaults=True):
    """`summary` is `feed_summary`'s. Without `inputs` it was not decided, or what decided it was too large."""

    summary: dict[str, Any]
    attempts: tuple[Attempt, ...] = ()
    passed_over: tuple[tuple[Target, str], ...] = ()
    inputs: Inputs | None = None
    decision: Decision | None = None
    chars: int = 0


def kept(exchange: Exchange, ms: float | None) -> Kept:
    """Of a request, open or over."""
    decision, inputs = exchange.decision, exchange.inputs
    rest = Kept(summary(exchange, ms), tuple(exchange.attempts), tuple(exchange.passed_over))
    if decision is None or inputs is None:
        return rest
    features = without_words(inputs.features)
    features = msgspec.structs.replace(
        features,
        model=features.model[:MOST],
        tools=tuple(name[:MOST] for name in features.tools[:TOOLS]),
        provider_tools=tuple(name[:MOST] for name in features.provider_tools[:TOOLS]),
    )
    return msgspec.structs.replace(
        rest,
        inputs=msgspec.structs.replace(inputs, features=features),
        decision=_told(decision),
        chars=len(inputs.features.last_user),
    )


def _told(decision: Decision) -> Decision:
    refusal = decision.refusal
    if refusal is not None and decision.phase == "custom" and any(outcome.saw_text for outcome in decision.asked):
        refusal = Refusal(refusal.status, LEFT_OUT)
    return msgspec.structs.replace(
        plain(decision),
        asked=tuple(map(cleared, decision.asked)),
        matches=None if decision.matches is None else bare(decision.matches),
        refusal=refusal,
    )


def packed(what: Kept) -> bytes:
    """At most `MOST_BYTES`, and a little for what is always kept."""
    data = _ENCODER.encode(what)
    return data if len(data) <= MOST_BYTES else _ENCODER.encode(Kept(what.summary, what.attempts[:TOOLS]))


def detail(what: Kept, snapshot: Snapshot | None) -> dict[str, Any]:
    """What the page shows of one request. Without its snapshot, which is gone, some figures are missing."""
    shown = what.summary
    answer: dict[str, Any] = {
        "summary": shown,
        "attempts": [
            {"target": str(each.target), "outcome": each.outcome, "ms": round(each.ms, 2), "key": each.key}
            for each in what.attempts
        ],
        "passed_over": [[str(target), why] for target, why in what.passed_over],
        "timings": {name: shown[name] for name in ("decided_ms", "first_ms", "ms")},
        "explanation": None,
        "rules": [],
    }
    if what.inputs is not None and what.decision is not None:
        answer["explanation"] = explanation(what.decision, what.inputs, snapshot, chars=what.chars)
        answer["rules"] = of_decision(what.decision, what.inputs, snapshot)
    return answer


class _Brief(Struct, frozen=True):
    summary: dict[str, Any]


def packed_summary(data: bytes) -> dict[str, Any]:
    """The summary alone: the rest is skipped."""
    return _BRIEF.decode(data).summary


_BRIEF: Final = msgspec.msgpack.Decoder(_Brief)
_ENCODER: Final = msgspec.msgpack.Encoder()
unpacked: Final = msgspec.msgpack.Decoder(Kept).decode
