"""The rules as the admin plane shows them: what they are, where they stand, and how they do. Pure."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from core.generation import Generation
from core.rollout import Move, Rollouts
from core.rollout_plan import status
from core.rule_figures import RuleFigures
from wasm_host.rule import Problem, Rule

#: A stage's mode in the page's words.
MODES: Final = {"enforce": "on"}


def shown(
    generation: Generation,
    *,
    states: Callable[[Rule], str],
    figures: RuleFigures,
    outcomes: Mapping[str, Mapping[str, int]],
    live: Mapping[str, Any],
) -> dict[str, Any]:
    """All rules in the order in which they are asked, and the files that were refused.

    `states` is a rule's breaker; `outcomes` counts what each said, by code; `live` is `Rolling.shown`.
    """
    rules, moves = generation.files, _by_rule(generation.rollouts)
    first = hiding(generation)
    problems = [problem for problem in rules.problems if not problem.warning]
    rows = [
        _row(
            replace(generation, rollouts=moves[rule.name]),
            rule,
            states(rule),
            figures.of(rule.name),
            outcomes.get(rule.name, {}),
            live,
        )
        | {"problem": _problem(rule, problems), "hidden_by": first}
        for rule in rules.rules
    ]
    known = {rule.name for rule in rules.rules}
    refused = [_refused(problem) for problem in problems if Path(problem.path).stem not in known]
    return {"rules": rows, "refused": refused}


def _by_rule(rollouts: Rollouts) -> defaultdict[str, Rollouts]:
    """The moves of each rule: there may be thousands of all, and what is asked of a rule's looks at each."""
    moves: defaultdict[str, list[Move]] = defaultdict(list)
    for move in rollouts.moves:
        moves[move.rule].append(move)
    return defaultdict(Rollouts, {name: Rollouts(tuple(own)) for name, own in moves.items()})


def hiding(generation: Generation) -> str:
    """The runtime scenarios with a route, which are asked before every rule; empty if none is."""
    order = generation.loaded.settings.routing.order
    asked = "custom" in order and "runtime" in order and order.index("runtime") < order.index("custom")
    return ", ".join(f"runtime:{name}" for name in generation.snapshot.runtime_routes) if asked else ""


def _row(
    generation: Generation,
    rule: Rule,
    state: str,
    took: Mapping[str, Any],
    said: Mapping[str, int],
    live: Mapping[str, Any],
) -> dict[str, Any]:
    stage, moved = generation.rollouts.stage(rule), status(generation, rule, live)
    return {
        "name": rule.name,
        "file": rule.evidence.file if rule.evidence else "",
        "sha256": rule.sha256,
        "priority": rule.settings.priority,
        "mode": MODES.get(stage.mode, stage.mode),
        "share": stage.share,
        "enabled": stage.mode != "off",
        "fail": rule.settings.fail,
        "trust": rule.trust,
        "breaker": state,
        "outcomes": dict(sorted(said.items())),
        **took,
        "grants": list(rule.settings.grant),
        "wants": sorted(rule.plan.wants()),
        "notes": list(rule.notes),
        "next": moved["next"],
        "rollout": moved,
    }


def _problem(rule: Rule, problems: list[Problem]) -> str:
    """Why the file that lies there is not what serves."""
    return next((f"{each.message}: {each.hint}" for each in problems if Path(each.path).stem == rule.name), "")


def _refused(problem: Problem) -> dict[str, str]:
    return {"file": Path(problem.path).name, "message": problem.message, "hint": problem.hint}
