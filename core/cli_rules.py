"""`rules list | inspect | run | bench | test`: what the rules are and what one does. No guest runs in this process."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from core.errors import Problem
from core.generation import Generation, policy_of
from core.rolegraph import load_taxonomy
from core.rollout_plan import said_by
from core.routing.snapshot import build
from core.settings import Loaded
from core.state.rollouts import RolloutFile
from wasm_host import examination, testing
from wasm_host.casework import complete, misshapen, target_names
from wasm_host.examination import Check
from wasm_host.files import Unusable
from wasm_host.preflight import Refusal
from wasm_host.rule import Rule, RuleSet
from wasm_host.timing import round_trips

#: Hostile requests that failed, and characters of a request, that `rules test` prints for a person.
HOSTILE_SHOWN, SEEN_SHOWN = 3, 400
UNKNOWN_TARGET = (
    'a proxy knows the targets of its configuration; here they are those of the request (-i, "targets"), of the '
    "manifest's `routes`, and of --config"
)
COLUMNS = ("name", "priority", "mode", "set_by", "pure", "trust", "sees", "bytes", "sha256")


def listing(generation: Generation) -> tuple[list[dict[str, Any]], list[Problem], list[Problem]]:
    """A row a rule, in the order in which they are asked; files that were refused; remarks on those that serve."""
    rules = generation.snapshot.rules
    rows = [
        {
            "name": rule.name,
            "priority": rule.settings.priority,
            "mode": str(generation.rollouts.stage(rule)),
            "set_by": said_by(generation, rule),
            "pure": rule.compiled.facts.pure,
            "trust": rule.trust,
            "sees": sorted(rule.plan.wants()),
            "bytes": rule.compiled.facts.size,
            "sha256": rule.sha256,
        }
        for rule in generation.files.rules
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
    return (",".join(value) if isinstance(value, list) else str(value)) or "-"


def operators(loaded: Loaded) -> dict[str, dict[str, Any]]:
    """The operator's tables `[rules.NAME]`."""
    return {name: dict(table) for name, table in loaded.settings.rules.items()}


def configured_targets(loaded: Loaded) -> frozenset[str] | None:
    """The configured targets, those of the taxonomy included; None where there is no configuration of the user's."""
    if loaded.path is None:
        return None
    taxonomy = load_taxonomy(loaded.settings.taxonomy.dir or Path())
    return build(loaded.settings, taxonomy, RuleSet()).target_names


def inspect(file: Path, cache: Path, loaded: Loaded) -> tuple[dict[str, Any], bool]:
    """Everything known of a module under this configuration; or why it is refused, and False. What is said of its
    trust is no refusal here.
    """
    operator, policy = operators(loaded).get(file.stem, {}), policy_of(loaded.settings)
    rule = testing.inspect(file, cache=cache, operator=operator, policy=policy)
    if isinstance(rule, Refusal):
        return refusal_facts(file, rule), False
    return testing.facts_of(rule) | _rolled_out(rule, loaded), True


def _rolled_out(rule: Rule, loaded: Loaded) -> dict[str, Any]:
    """The move that goes before the mode in the module's settings, if there is one."""
    if loaded.state is None:
        return {}
    try:
        move = RolloutFile(loaded.state).read().last(rule.name, rule.sha256)
    except Unusable as exc:
        return {"rollout": f"{RolloutFile(loaded.state).path}: {exc.message}"}
    return {} if move is None else {"rollout": {"stage": move.to, "since": move.at, "by": move.by, "why": move.why}}


def read_view(request: bytes) -> dict[str, Any]:
    """A request of the ABI. ValueError if it is none."""
    try:
        view = msgspec.json.decode(request or b"{}", type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise ValueError(f"the request is not a JSON object: {exc}") from None
    if wrong := misshapen(view):
        raise ValueError(f"the request cannot be shown to a rule: {wrong}")
    return view


def run(
    file: Path, view: Mapping[str, Any], cache: Path, operator: Mapping[str, Any], targets: Iterable[str] = ()
) -> tuple[dict[str, Any], bool]:
    """What the module does with a request of the ABI (what it lacks comes from the ABI's example)."""
    report = testing.run(file, view, cache=cache, operator=operator, targets=targets)
    if isinstance(report, Refusal):
        return refusal_facts(file, report), False
    facts: dict[str, Any] = msgspec.to_builtins(report.outcome)
    used = {key: value for key, value in facts.items() if value not in ("", None, {}, False) and key != "micros"}
    if "is not a configured target" in report.outcome.message:
        used["next"] = UNKNOWN_TARGET
    used |= {"micros": [nanos // 1000 for nanos in report.nanos], "percent": report.percent, "saw": report.request}
    return used | ({"notes": list(report.notes)} if report.notes else {}), True


def run_body(
    file: Path, body: bytes, cache: Path, operator: Mapping[str, Any], loaded: Loaded
) -> tuple[dict[str, Any], bool]:
    """What the module does with a request as a client sends it. ValueError if it is none, or no rule is asked."""
    from core.cli_rules_body import view_of

    rule = testing.inspect(file, cache=cache, operator=operator)
    if isinstance(rule, Refusal):
        return refusal_facts(file, rule), False
    view, targets = view_of(loaded, rule, body)
    return run(file, view, cache, operator, targets)


def bench(
    file: Path, request: Mapping[str, Any], cache: Path, operator: Mapping[str, Any], calls: int
) -> tuple[dict[str, Any], bool]:
    """How long calls of the module take, each in a fresh instance: in a process of its own, and through a worker."""
    rule = testing.inspect(file, cache=cache, operator=testing.with_config(operator, request))
    if isinstance(rule, Refusal):
        return refusal_facts(file, rule), False
    view = complete(request, rule.settings.routes or ())
    report = testing.ask(rule, view, target_names(view), calls=calls + 1)
    outcome, warm = report.outcome, report.nanos[1:]
    if not warm:
        what = f"{file}: rule {outcome.rule} was not called: {outcome.code}, {outcome.message}"
        return {"refused": outcome.code, "message": what, "hint": f"see: terraphim-proxy rules run {file}"}, False
    facts = {"rule": outcome.rule, "code": outcome.code, "calls": len(warm), "engine": report.path}
    facts |= {"fuel": outcome.fuel, "pages": outcome.pages, "request_bytes": len(report.request.encode())}
    timed = {"fresh_inline": warm, "worker_round_trip": round_trips(rule, view, calls)}
    facts["micros"] = {way: _percentiles(nanos) for way, nanos in timed.items() if nanos}
    facts["calls_per_second"] = {way: round(1e9 * len(nanos) / sum(nanos)) for way, nanos in timed.items() if nanos}
    return facts | {"percent": report.percent}, True


def _percentiles(nanos: Sequence[int]) -> dict[str, float]:
    """In microseconds."""
    return {f"p{percent}": round(testing.percentile(nanos, percent) / 1000, 1) for percent in (50, 99)}


def examine(file: Path, cache: Path, operator: Mapping[str, Any]) -> list[Check] | Refusal:
    """The checks of `rules test`."""
    return examination.examine(file, cache=cache, operator=operator)


def report_lines(checks: Sequence[Check]) -> list[str]:
    """A line a check, with what to do where it failed. Hostile requests that passed share one line, and so do all but
    the first that failed: a rule often fails them all alike.
    """
    hostile = [check for check in checks if check.kind == "hostile"]
    failed = [check for check in hostile if not check.ok]
    lines = [_check_line(check) for check in checks if check.kind in ("case", "none")]
    if ends := Counter(check.outcome.code for check in hostile if check.ok and check.outcome):
        lines.append(f"ok    hostile {ends.total()} requests: " + ", ".join(f"{n} {code}" for code, n in ends.items()))
    lines += [_check_line(check) for check in failed[:HOSTILE_SHOWN]]
    if len(failed) > HOSTILE_SHOWN:
        lines.append(f"FAIL  hostile {len(failed) - HOSTILE_SHOWN} more: see --json")
    return lines + [_check_line(check) for check in checks if check.kind == "same"]


def _check_line(check: Check) -> str:
    outcome = check.outcome
    said = "" if outcome is None else f"{outcome.code} {outcome.route or outcome.reason}".rstrip()
    line = f"{'ok  ' if check.ok else 'FAIL'}  {check.kind:<7} {check.name}{': ' if said else ''}{said}"
    if check.ok:
        return line
    log = f"\n      log: {outcome.log}" if outcome is not None and outcome.log else ""
    saw = f"\n      it saw: {check.request[:SEEN_SHOWN]}" if check.request else ""
    return f"{line}\n      {check.message}{saw}{log}"


def tally(checks: Sequence[Check]) -> dict[str, int]:
    """How many passed and failed."""
    passed = sum(check.ok for check in checks)
    return {"passed": passed, "failed": len(checks) - passed}


def refusal_facts(file: Path, refusal: Refusal) -> dict[str, Any]:
    """Why a module is not run, with what to do."""
    hint = refusal.hint or f"see: terraphim-proxy rules check {file}"
    return {"refused": refusal.code, "file": str(file), "rule": file.stem, "message": refusal.message, "hint": hint}


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
