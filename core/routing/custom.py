"""The custom phase: users' rules, asked in their order until one answers. A canary is asked as its session's side says.

A rule's fault never fails a request: the next rule is asked, then the next phase.
"""

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from core.exchange import Features, Refusal, Target
from core.messages import Request
from core.routing.permission import permitted
from core.routing.proposal import Ask, Proposal
from wasm_host.answer import Outcome

if TYPE_CHECKING:
    from core.routing.decide import Deciding

#: What rules see of a session (ABI); what else is remembered of it is the proxy's own.
SESSION = ("turns", "last_target", "last_input_tokens", "cached_prefix_tokens")


def propose(deciding: "Deciding") -> Generator[Ask, list[Outcome], Proposal | Refusal | None]:
    """Ask the rules; a route that the gate turns away counts as refused, and the rules after it are asked."""
    snapshot = deciding.snapshot
    rules, sides = snapshot.canaries.sides(deciding.features)
    if not rules:
        deciding.note("custom", "passed", why="no rules")
        return None
    view, targets = view_of(deciding), snapshot.open_to(deciding.features.allowed)
    while rules:
        outcomes = yield Ask(rules, view, targets)
        if not outcomes:
            break
        deciding.asked += outcomes
        rules = rules[len(outcomes) :]
        for outcome in outcomes:
            answer = _weigh(deciding, outcome, sides.get(outcome.rule, ""))
            if answer is not None:
                return answer
    return None


def _weigh(deciding: "Deciding", outcome: Outcome, side: str) -> Proposal | Refusal | None:
    """The rule's word, or None where the next rule must be asked; either way a line in the trace. `side` is the
    session's, if the rule is a canary.
    """
    detail: dict[str, Any] = {"rule": outcome.rule, "fuel": outcome.fuel, "micros": outcome.micros}
    if side:
        detail["canary"] = side
    detail |= {key: value for key in ("reason", "message", "route", "deny_message") if (value := getattr(outcome, key))}
    if not outcome.decides:
        deciding.note("custom", "shadow" if outcome.shadow else outcome.code, **detail)
        return None
    if outcome.code != "route":
        deciding.note("custom", "denied", status=outcome.deny_status, **detail)
        return Refusal(outcome.deny_status, _words(outcome) or f"denied by rule {outcome.rule}")
    candidate = deciding.admit("custom", Target.parse(outcome.route))
    deciding.note("custom", "refused" if candidate is None else "decided", **detail)
    if candidate is None:
        return None
    return Proposal("custom", f"rule:{outcome.rule}", (candidate,), outcome.score, outcome.tags)


def _words(outcome: Outcome) -> str:
    """What a denial may tell the client: the host's words, and the rule's if it saw no text that they could carry."""
    return "" if outcome.code == "deny" and outcome.saw_text else outcome.deny_message


def view_of(deciding: "Deciding") -> Mapping[str, Any]:
    """The request as rules may see it (ABI, "The request"), of which only what some rule wants is filled in."""
    features, session, wants = deciding.features, deciding.session, deciding.snapshot.rules.wants
    view: dict[str, Any] = {
        "now_ms": features.now_ms,
        "tz_offset_min": features.tz_offset_min,
        "seed": features.seed,
        "request": _request_view(features),
        "scenario": deciding.scenarios,
        "client": {"key": features.client_key, "agent": features.agent},
    }
    if "session" in wants:
        view["session"] = {name: getattr(session, name) for name in SESSION}
    if "headers" in wants:
        view["headers"] = features.granted.get("headers", {})
    if "targets.facts" in wants:
        view["targets"] = _target_views(deciding)
    elif "targets" in wants:
        view["targets"] = _open(deciding, deciding.snapshot.target_name_views)
    return view


def _open(deciding: "Deciding", views: list[Any]) -> list[Any]:
    """The views of those targets that the client may ask."""
    allowed = deciding.features.allowed
    return [view for view in views if permitted(view["name"], allowed)] if allowed else views


def _target_views(deciding: "Deciding") -> list[dict[str, Any]]:
    """The targets, with what is known of how they are. A median that is not known is left out."""
    views, states = _open(deciding, deciding.snapshot.target_views), deciding.states
    if not states:
        return views
    known = {
        name: {key: value for key, value in msgspec.structs.asdict(state).items() if value is not None}
        for name, state in states.items()
    }
    return [view | known.get(view["name"], {}) for view in views]


def granted_texts(wants: frozenset[str], request: Request, headers: Mapping[str, str]) -> dict[str, Any]:
    """What rules were granted beyond the facts: system text, the whole conversation, headers. Usually nothing."""
    granted: dict[str, Any] = {}
    if "request.system" in wants:
        granted["system"] = "\n".join(block.text for block in request.system if block.type == "text")
    if "request.messages" in wants:
        fields = msgspec.json.decode(request.raw, type=dict[str, msgspec.Raw])
        granted["messages"] = _own(fields.get("messages", msgspec.Raw(b"[]")), request.raw)
    names = [want[len("headers[") : -1] for want in wants if want.startswith("headers[")]
    if names:
        granted["headers"] = {name: headers[name] for name in sorted(names) if name in headers}
    return granted


def _own(part: msgspec.Raw, body: bytes) -> msgspec.Raw:
    """A part of a body is a view that keeps the whole: a small part of a large one, which may wait long, is copied."""
    return part if 2 * memoryview(part).nbytes >= len(body) else part.copy()


def _request_view(features: Features) -> dict[str, Any]:
    view = {
        "dialect": features.dialect,
        "model": features.model,
        "stream": features.stream,
        "max_tokens": features.max_tokens,
        "token_count": features.token_count,
        "message_count": features.message_count,
        "tools": features.tools,
        "thinking": features.effort,
        "web_search": features.web_search,
        "images": features.images,
        "class": features.request_class,
        "plan_mode": features.plan_mode,
        "last_user": features.last_user,
    }
    view |= {key: features.granted[key] for key in ("system", "messages") if key in features.granted}
    return view
