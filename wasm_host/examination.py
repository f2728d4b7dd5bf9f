"""`rules test`: the manifest's cases, hostile requests, and whether the rule always answers the same."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from wasm_host import casework, hostile, testing, trial
from wasm_host.answer import Outcome
from wasm_host.casework import BadCase, Case
from wasm_host.preflight import Refusal
from wasm_host.projection import project
from wasm_host.rule import Rule
from wasm_host.trial import Reply

#: What a hostile request must not bring a rule to. `error` is its own word, and legal.
_BROKEN: Final = frozenset({"trap", "fuel", "timeout", "crash", "refused"})
_EXAMPLE_CASE: Final = "[[test]] with name, request = { token_count = 70000 } and expect = { abstain = true }"


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was looked at. `kind` is case, none (there are no cases), hostile or same.

    `message` says what is wrong and what to do; then `request` is what the rule saw.
    """

    kind: str
    name: str
    ok: bool
    outcome: Outcome | None = None
    message: str = ""
    request: str = ""


class _Asked(Struct, frozen=True):
    """A request on its way. `request` is None where the projection cannot make it small enough."""

    kind: str
    name: str
    rule: Rule
    request: bytes | None
    view: Mapping[str, Any]
    targets: frozenset[str]
    case: Case | None = None


def examine(path: Path, *, cache: Path, operator: Mapping[str, Any] | None = None) -> list[Check] | Refusal:
    """Every check of the module at `path`, in order; or why the module is refused."""
    base = dict(operator or {})
    rule = testing.inspect(path, cache=cache, operator=base)
    if isinstance(rule, Refusal):
        return rule
    asked: list[_Asked] = []
    checks: list[Check] = []
    for number, written in enumerate(written_cases(path, rule), 1):
        prepared = _prepare(path, cache, base, rule, number, written)
        if isinstance(prepared, Check):
            checks.append(prepared)
        else:
            asked.append(prepared)
    if not asked and not checks:
        what = f"{path}: the manifest of rule {rule.name} has no cases, so nothing says what it should do"
        checks.append(Check(kind="none", name="no cases", ok=False, message=f"{what}; add {_EXAMPLE_CASE}"))
    asked += _hostile(path, cache, base, rule, asked)
    return checks + _judge_all(path, asked)


def written_cases(path: Path, rule: Rule) -> list[Any]:
    """The entries of `test` in the first manifest that has any: the file beside the module, then in the module."""
    sidecar = path.with_suffix(".toml")
    beside = tomllib.loads(sidecar.read_text("utf-8")) if sidecar.is_file() else {}
    facts = rule.compiled.facts
    for manifest in (beside, facts.section, facts.described):
        if found := manifest.get("test"):
            return found if isinstance(found, list) else [found]
    return []


def _prepare(
    path: Path, cache: Path, base: Mapping[str, Any], plain: Rule, number: int, written: Any
) -> _Asked | Check:
    """A case under its operator's table; or a failed check that says why there is none."""
    try:
        case = casework.read_case(written, number)
    except BadCase as exc:
        return Check(kind="case", name=f"case {number}", ok=False, message=f"{path.with_suffix('.toml')}: {exc}")
    rule: Rule | Refusal = plain
    if case.operator:
        rule = testing.inspect(path, cache=cache, operator=testing.overlay(base, case.operator))
    if isinstance(rule, Refusal):
        return Check(kind="case", name=case.name, ok=False, message=f"{path}: its operator table: {rule}")
    expected = [case.expect.route] if isinstance(case.expect.route, str) else []
    view = casework.complete(case.view, [*expected, *(rule.settings.routes or ())])
    request = project(rule.plan, view, rule.config)
    return _Asked("case", case.name, rule, request, view, casework.target_names(view), case)


def _hostile(path: Path, cache: Path, base: Mapping[str, Any], plain: Rule, cases: Sequence[_Asked]) -> list[_Asked]:
    """Hostile requests for the rule with everything granted that it declares, and every target that it may know of."""
    grant = [*base.get("grant", []), *plain.plan.ungranted, *(["request.last_user"] if plain.plan.elastic else [])]
    granted = testing.inspect(path, cache=cache, operator={**base, "grant": grant})
    rule = plain if isinstance(granted, Refusal) else granted
    view = casework.complete({}, rule.settings.routes or ())
    names = casework.target_names(view) | {text for text in _texts(rule.settings.config) if "," in text}
    names = names.union(*(asked.targets for asked in cases))
    small = [_Asked("hostile", name, rule, data, view, names) for name, data in hostile.shapes()]
    large = [
        _Asked(
            "hostile", name, rule, project(rule.plan, flood, rule.config), flood, names | casework.target_names(flood)
        )
        for name, flood in hostile.floods(rule.plan.headers)
    ]
    return [asked for asked in (*small, *large) if asked.request is not None and len(asked.request) <= rule.plan.limit]


def _texts(value: Any) -> list[str]:
    """Every text in a rule's config."""
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in _texts(inner)]
    return [value] if isinstance(value, str) else []


def _judge_all(path: Path, asked: Sequence[_Asked]) -> list[Check]:
    """Ask everything twice, in two processes and opposite orders, and judge."""
    there = [one for one in asked if one.request is not None]
    questions = [trial.question(one.rule, one.request or b"", one.view) for one in there]
    first = trial.ask(questions)
    second = trial.ask(questions[::-1])[::-1]
    replies = {id(one): reply for one, reply in zip(there, first, strict=True)}
    checks = [_judge(path, one, replies.get(id(one))) for one in asked]
    return [*checks, _same(path, there, first, second)]


def _judge(path: Path, asked: _Asked, reply: Reply | None) -> Check:
    outcome = testing.outcome_of(asked.rule, reply, asked.targets)
    if asked.case:
        wrong = casework.differs(asked.case.expect, outcome)
        hint = "mend the rule or the case"
    else:
        wrong = f"ends in {outcome.code}" if outcome.code in _BROKEN else ""
        hint = "answer, abstain or say error whatever the request is"
    if not wrong:
        return Check(kind=asked.kind, name=asked.name, ok=True, outcome=outcome)
    detail = f" ({outcome.message})" if outcome.message else ""
    message = f"{path}: rule {asked.rule.name}: {wrong}{detail}; {hint}"
    seen = (asked.request or b"").decode(errors="replace")
    return Check(kind=asked.kind, name=asked.name, ok=False, outcome=outcome, message=message, request=seen)


def _same(path: Path, asked: Sequence[_Asked], first: Sequence[Reply], second: Sequence[Reply]) -> Check:
    """Equal requests must give equal bytes and use equal fuel."""
    twice = [(one, a, b) for one, a, b in zip(asked, first, second, strict=True) if a.repeatable and b.repeatable]
    differing = [one for one, a, b in twice if a.repeatable != b.repeatable]
    name = f"{len(twice)} requests twice: equal bytes, equal fuel"
    if not differing:
        return Check(kind="same", name=name, ok=True)
    what = f"{path}: rule {asked[0].rule.name} answers {len(differing)} requests differently in a second run"
    message = f"{what}, first {differing[0].name!r}; report this: a module has no source of chance but the request"
    return Check(kind="same", name=name, ok=False, message=message, request=(differing[0].request or b"").decode())
