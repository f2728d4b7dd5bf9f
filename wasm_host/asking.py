"""From a rule and a request to a call, and from its result to an outcome: what all runners share. Pure."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from wasm_host import abi
from wasm_host.answer import ABSTAINS, Illegal, Outcome, judge
from wasm_host.frames import AT_ANSWER, AT_FAULT, NEVER, Ask, Call, Result
from wasm_host.projection import project
from wasm_host.rule import Rule


class Prepared(Struct, frozen=True):
    """An ask for some rules: `rules[i]` belongs to `ask.calls[i]`; each projection is in it once."""

    ask: Ask
    rules: list[Rule]


def prepare(rules: Sequence[Rule], view: Mapping[str, Any]) -> tuple[Prepared, Outcome | None]:
    """An ask for the rules up to the first that cannot be asked, and that one's outcome. Never raises."""
    ask = Ask(0, [], view.get("now_ms", 0), view.get("seed", 0), [])
    prepared = Prepared(ask, [])
    known: dict[str, int] = {}
    for rule in rules:
        place = known.get(rule.view_key)
        if place is None:
            request = _projected(rule, view)
            if isinstance(request, Result):
                return prepared, outcome(rule, request, frozenset())
            place = known[rule.view_key] = len(ask.requests)
            ask.requests.append(request)
        ask.calls.append(call_of(rule, place))
        prepared.rules.append(rule)
    return prepared, None


def _projected(rule: Rule, view: Mapping[str, Any]) -> bytes | Result:
    try:
        request = project(rule.plan, view, rule.config)
    except Exception as exc:  # noqa: BLE001 - a rule's fault must never be a request's
        return Result("crash", f"the host failed: {type(exc).__name__}")
    if request is None:
        return Result("skipped", f"oversize: the request is over {rule.plan.limit} bytes for this rule")
    return request


def call_of(rule: Rule, request: int) -> Call:
    """The call of a rule on the request at that place."""
    settings, limits = rule.settings, rule.settings.limits
    ends = NEVER if settings.mode != "enforce" else AT_FAULT if settings.fail == "deny" else AT_ANSWER
    return Call(rule.sha256, request, limits.fuel, limits.memory, limits.timeout_ms, ends)


class _Deciding(Struct):
    route: msgspec.Raw | UnsetType = UNSET
    deny: msgspec.Raw | UnsetType = UNSET
    error: msgspec.Raw | UnsetType = UNSET


_decode = msgspec.json.Decoder(_Deciding).decode


def ends(call: Call, result: Result) -> bool:
    """Whether the rules behind this one need not be asked, as far as a worker can tell: the receiver judges."""
    if call.ends == NEVER:
        return False
    if result.fault:
        return call.ends == AT_FAULT
    if not result.answer or result.answer == ABSTAINS:
        return False
    try:
        answer = _decode(result.answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return call.ends == AT_FAULT
    said = answer.route is not UNSET or answer.deny is not UNSET
    return said or (call.ends == AT_FAULT and answer.error is not UNSET)


def outcome(rule: Rule, result: Result, targets: frozenset[str], seen: str = "") -> Outcome:
    """The judged outcome of a call; never raises, whatever the guest said. `seen` is `digest` of what it was shown."""
    fields: dict[str, Any] = {"code": result.fault, "message": result.message}
    try:
        if not result.fault:
            fields = judge(result.answer, rule.settings, targets)
    except Illegal as exc:
        fields = {"code": "refused", "message": str(exc)}
    if fields["code"] in abi.FAULTS and rule.settings.fail == "deny":
        fields |= {"deny_status": abi.FAIL_STATUS, "deny_message": f"rule {rule.name} failed"}
    return Outcome(
        rule=rule.name,
        fuel=result.fuel,
        pages=result.pages,
        micros=result.micros,
        log=result.log,
        saw_text=rule.plan.saw_text,
        shadow=rule.settings.mode != "enforce",
        module=rule.sha256,
        seen=seen,
        **fields,
    )


def digest(request: bytes) -> str:
    """What a rule was shown, in 16 hex digits."""
    return sha256(request).hexdigest()[:16]


def outcomes(prepared: Prepared, results: Sequence[Result], targets: frozenset[str]) -> list[Outcome]:
    """Outcomes of the results that there are, up to the first that decides."""
    judged = []
    seen = [digest(request) for request in prepared.ask.requests]
    for rule, call, result in zip(prepared.rules, prepared.ask.calls, results, strict=False):
        judged.append(outcome(rule, result, targets, seen[call.request]))
        if judged[-1].decides:
            break
    return judged
