"""`rules list | inspect | run`: what the rules are and what one would do. No guest runs in this process."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from core.errors import Problem
from core.generation import Generation
from wasm_host import testing
from wasm_host.preflight import Refusal

COLUMNS = ("name", "priority", "mode", "pure", "sees", "bytes", "sha256")


def listing(generation: Generation) -> tuple[list[dict[str, Any]], list[Problem], list[Problem]]:
    """A row a rule, in the order in which they are asked; files that were refused; remarks on those that serve."""
    rules = generation.snapshot.rules
    rows = [
        {
            "name": rule.name,
            "priority": rule.settings.priority,
            "mode": rule.settings.mode,
            "pure": rule.compiled.facts.pure,
            "sees": sorted(rule.plan.wants()),
            "bytes": rule.compiled.facts.size,
            "sha256": rule.sha256,
        }
        for rule in rules.rules
    ]
    refused, remarks = (
        [Problem(p.path, 0, p.message, p.hint) for p in rules.problems if p.warning is warning]
        for warning in (False, True)
    )
    return rows, refused, remarks


def hiding(generation: Generation) -> str:
    """A sentence if runtime routes are asked before the rules and can hide them; empty otherwise."""
    order = generation.loaded.settings.routing.order
    routes = generation.snapshot.runtime_routes
    if not (generation.snapshot.rules.rules and routes and "runtime" in order and "custom" in order):
        return ""
    if order.index("custom") < order.index("runtime"):
        return ""
    return (
        f"runtime routes ({', '.join(routes)}) are asked before the rules and can hide them; "
        'routing.order = ["custom", "runtime", "pattern", "default"] asks the rules first'
    )


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as aligned text."""
    if not rows:
        return "no rules"
    cells = [[column.upper() for column in COLUMNS], *([_cell(column, row) for column in COLUMNS] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(COLUMNS))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in cells)


def _cell(column: str, row: Mapping[str, Any]) -> str:
    value = row[column]
    if column == "sha256":
        return str(value)[:12]
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(value) if isinstance(value, list) else str(value)


def inspect(file: Path, cache: Path) -> tuple[dict[str, Any], bool]:
    """Everything known of a module; or why it is refused, and False."""
    rule = testing.inspect(file, cache=cache)
    if isinstance(rule, Refusal):
        return _refusal(rule), False
    return testing.facts_of(rule), True


def run(file: Path, request: bytes, cache: Path) -> tuple[dict[str, Any], bool]:
    """What the module does with a request of the ABI (what it lacks comes from the ABI's example)."""
    try:
        view = msgspec.json.decode(request or b"{}", type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        return {"refused": "request", "message": f"the request is not a JSON object: {exc}"}, False
    report = testing.run(file, view, cache=cache)
    if isinstance(report, Refusal):
        return _refusal(report), False
    facts: dict[str, Any] = msgspec.to_builtins(report.outcome)
    used = {key: value for key, value in facts.items() if value not in ("", None, {}, False) and key != "micros"}
    return used | {"micros": list(report.micros), "percent": report.percent, "saw": report.request}, True


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return {"refused": refusal.code, "message": refusal.message, "hint": refusal.hint}


def pairs(facts: Mapping[str, Any], indent: str = "") -> str:
    """Nested facts as `key: value` lines."""
    lines: list[str] = []
    for key, value in facts.items():
        if isinstance(value, Mapping) and value:
            lines += [f"{indent}{key}:", pairs(value, indent + "  ")]
        else:
            lines.append(f"{indent}{key}: {_plain(value)}")
    return "\n".join(lines)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
