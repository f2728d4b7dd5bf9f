"""The explanation for people: the decision, a block for each phase, the candidates. From the data, and nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any, Final

from core.explain.costs import dollars
from wasm_host.answer import clean

#: Narrower than this nothing is laid out, wider than that no line is.
NARROW, WIDE = 60, 120
_INDENT: Final = " " * 6
#: Of a step of the trace, what is said elsewhere or in words of its own.
_NOT_SAID: Final = frozenset({"rule", "concept", "how", "score", "spans", "target", "why"})

_SAID: Final = ("route", "score", "reason", "deny_status", "deny_message", "message")


def text(answer: Mapping[str, Any], width: int = 100) -> str:
    """Lines of at most `width` characters, but for words that are longer."""
    width = min(max(width, NARROW), WIDE)
    return "\n".join(line for part in _parts(answer) for line in _fitted(clean(part), width))


def _fitted(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return wrap(
        line, width, subsequent_indent=indent, drop_whitespace=True, break_long_words=False, break_on_hyphens=False
    )


def _parts(answer: Mapping[str, Any]) -> Iterator[str]:
    decision, facts = answer["decision"], answer["features"]
    if refusal := decision.get("refusal"):
        yield f"refused with {refusal['status']}: {refusal['message']}"
    else:
        yield f"{decision['provider']},{decision['model']}   phase {decision['phase']}, reason {decision['reason']}"
    yield f"  snapshot {decision['snapshot'][:12]}, {_facts(facts)}"
    if record := answer.get("record"):
        yield f"  on record as {record['request_id']}, {'with' if record['captured'] else 'without'} captured text"
        if why := record.get("without_snapshot"):
            yield f"  what the record says alone: {why}"
    for phase in answer["phases"]:
        yield from _phase(phase)
    if decision["candidates"]:
        yield "  candidates, in the order in which they are asked"
        rows = [_candidate(number, each) for number, each in enumerate(decision["candidates"], 1)]
        yield from _table([["", "tokens", "cached", "answer", "cost USD"], *rows])
        yield from _changes(decision["candidates"])
    if "result" in answer:
        yield from _result(answer["result"], decision["candidates"])


def _facts(facts: Mapping[str, Any]) -> str:
    counted = f" ({facts['counted']:,} counted, times {facts['token_factor']:.3g})"
    parts = [f"{facts['dialect']}, {facts['token_count']:,} tokens{counted if facts['token_factor'] != 1 else ''}"]
    counts = (("messages", facts["message_count"]), ("tools", len(facts["tools"])), ("images", facts["images"]))
    parts += [f"{number:,} {what[:-1] if number == 1 else what}" for what, number in counts if number]
    return ", ".join(parts)


def _phase(phase: Mapping[str, Any]) -> Iterator[str]:
    why = f": {phase['why']}" if "why" in phase else ""
    yield f"  {phase['phase']:<9} {phase['outcome']}{why}"
    if phase["outcome"] == "not reached":
        return
    looked = _LOOKED[phase["phase"]](phase["looked_at"])
    if looked:
        yield f"{_INDENT}{looked}"
    for rule in phase.get("rules", ()):
        yield f"{_INDENT}{_rule(rule)}"
        if shown := rule.get("shown"):
            yield f"{_INDENT}  {_shown(shown)}"
    for match in phase.get("matches") or ():
        yield f"{_INDENT}{_match(match)}"
    for step in phase["steps"]:
        if line := _step(step):
            yield f"{_INDENT}{line}"


def _step(step: Mapping[str, Any]) -> str:
    """A line of the trace, unless it says what the phase's block says already."""
    detail = step["detail"]
    if "rule" in detail:
        return ""
    figures = ", ".join(f"{key} {_value(key, value)}" for key, value in detail.items() if key not in _NOT_SAID)
    what = " ".join(filter(None, [step["phase"] if step["phase"] == "gate" else "", step["outcome"]]))
    about = ", ".join(filter(None, [detail.get("target", ""), figures]))
    if "concept" in detail:
        about = f"{about} by concept {detail['concept']}"
    why = detail.get("why", "")
    why = "; ".join(why) if isinstance(why, list) else why
    return f"{what} {about}".rstrip() + (f": {why}" if why else "")


def _value(key: str, value: Any) -> str:
    if key.endswith("_micro_usd"):
        return "unknown" if value is None else f"${dollars(value)} ({value} micro-USD)"
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value)) or "none"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _rule(rule: Mapping[str, Any]) -> str:
    if not rule["asked"]:
        return f"{rule['rule']}   not asked: {rule['why']}"
    parts = [f"{rule['rule']}   {rule['outcome']}"]
    parts += [f"{key} {rule[key]}" for key in _SAID if key in rule]
    parts += [f"tag {key}={value}" for key, value in rule.get("tags", {}).items()]
    if rule.get("shadow"):
        parts.append("in shadow: decides nothing")
    if "canary" in rule:
        parts.append(f"canary: the session is {rule['canary']}")
    parts.append(f"fuel {rule['fuel']:,}, {rule['micros']:,} µs, module {rule['module'][:12]}")
    return ", ".join(parts)


def _shown(shown: Mapping[str, Any]) -> str:
    size = "" if shown["bytes"] is None else f"{shown['bytes']:,} bytes, "
    return f"was shown {size}digest {shown['digest']}" + (", with text of the request" if shown["text"] else "")


def _match(match: Mapping[str, Any]) -> str:
    spans = "; ".join(_span(span) for span in match["spans"])
    return f"{match['concept']}   score {match['score']}, priority {match['priority']}, {match['how']}: {spans}"


def _span(span: Mapping[str, Any]) -> str:
    words = span.get("words") or span.get("pattern") or ""
    said = " ".join(words.split())
    return f"{span['start']}-{span['end']}" + (f" {said!r}" if said else "")


def _candidate(number: int, candidate: Mapping[str, Any]) -> list[str]:
    expected = candidate["expected"]
    return [
        f"{number} {candidate['target']}",
        f"{candidate['tokens']:,}",
        "?" if expected["cached_tokens"] is None else f"{expected['cached_tokens']:,}",
        "?" if expected["output_tokens"] is None else f"{expected['output_tokens']:,}",
        (expected["usd"] or "?") + ("" if expected["output_tokens"] or not expected["usd"] else " + ?"),
    ]


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.rjust(widths[at]) if at else cell.ljust(widths[at]) for at, cell in enumerate(row)]
        yield f"    {'  '.join(cells)}".rstrip()


def _changes(candidates: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is changed for a candidate, and what nobody knows of it."""
    for number, candidate in enumerate(candidates, 1):
        changes = []
        if candidate["max_tokens"] is not None:
            changes.append(f"max_tokens {candidate['max_tokens']:,}")
        if candidate["drop_thinking"]:
            changes.append("no thinking")
        if candidate["unverified"]:
            changes.append(f"not known whether it serves: {', '.join(candidate['unverified'])}")
        if changes:
            yield f"    {number}: {'; '.join(changes)}"


def _result(result: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What came of it, beside what was expected of who answered."""
    yield f"  result    {result['status']}{' ' + result['error'] if result['error'] else ''} after {result['ms']:,} ms"
    for attempt in result["attempts"]:
        yield f"{_INDENT}{attempt['target']}: {attempt['outcome']}, {attempt['ms']:,} ms"
    used = ", ".join(f"{kind.replace('_', ' ')} {tokens:,}" for kind, tokens in result["usage"].items())
    cost = f"cost {result['usd'] or '?'} USD{_expected(result, candidates)}"
    yield f"{_INDENT}used {used or 'nothing that was said'}; {cost}"


def _expected(result: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]]) -> str:
    who = next((each for each in candidates if each["target"] == result["answered_by"]), None)
    usd = who["expected"]["usd"] if who else None
    return f", expected {usd}" if usd else ""


def _explicit(looked: Mapping[str, Any]) -> str:
    tag = f", subagent tag {looked['subagent_target']!r}" if looked["subagent_target"] else ""
    return f"looked at the model's name {looked['model']!r}{tag}"


def _runtime(looked: Mapping[str, Any]) -> str:
    if "scenarios" not in looked:
        return ""
    holds = [each for each in looked["scenarios"] if each["holds"]]
    named = ", ".join(f"{each['scenario']} ({each['route'] or 'no route'})" for each in holds) or "none"
    long = f"looked at {looked['token_count']:,} tokens (long: over {looked['long_context_threshold']:,})"
    return (
        f"{long}, effort {looked['effort']} (thinking: {looked['thinking_min_effort']}); scenarios that hold: {named}"
    )


def _custom(looked: Mapping[str, Any]) -> str:
    return "no rules" if looked.get("rules") == 0 else ""


def _pattern(looked: Mapping[str, Any]) -> str:
    return f"looked at {looked['characters']:,} characters" + (
        f", {looked['concepts']} concepts" if "concepts" in looked else ""
    )


def _default(looked: Mapping[str, Any]) -> str:
    return f"is {looked['default']}" if "default" in looked else ""


def _sticky(looked: Mapping[str, Any]) -> str:
    if not looked["last_target"]:
        return ""
    caches = ", ".join(
        f"{each['tokens']:,} tokens at {each['target']} {each['age_s']} s ago" for each in looked["caches"]
    )
    loop = ", in a loop of tools" if looked["tool_loop"] else ""
    return f"looked at {looked['turns']} turns, home {looked['home'] or 'none'}{loop}; caches: {caches or 'none'}"


def _fallback(looked: Mapping[str, Any]) -> str:
    return f"is {'; '.join(looked['fallback'])}" if looked.get("fallback") else ""


_LOOKED: Final = {
    "explicit": _explicit,
    "runtime": _runtime,
    "custom": _custom,
    "pattern": _pattern,
    "default": _default,
    "sticky": _sticky,
    "fallback": _fallback,
}
