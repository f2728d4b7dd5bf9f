"""Which move a person asks for: from words of a command to a move, or why not. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from core.generation import Generation
from core.rollout import (
    CONFIGURED,
    DISABLE,
    ENABLE,
    ENFORCE,
    OFF,
    PROMOTE,
    ROLLBACK,
    SHADOW,
    Move,
    Rollouts,
    Stage,
    following,
)
from core.schema_rollout import of_rule
from wasm_host.rule import Rule

#: Where each action may lead, if somebody says where to.
GOALS: Final[Mapping[str, tuple[str, ...]]] = {
    PROMOTE: ("canary", "enforce"),
    ROLLBACK: ("shadow", "canary", CONFIGURED),
    ENABLE: (),
    DISABLE: (),
}
#: Where the tables of a rule may say its mode.
_PLACES: Final = ("rule", "policy")


class Refused(ValueError):
    """A move that is not made: why, and what to do."""


def share_of(text: str) -> Stage:
    """A canary of `5`, `5%` or `0.5 %` of the sessions; ValueError for anything else."""
    return Stage.parse(f"canary {text.strip().removesuffix('%').strip()}%")


def promotion(stage: Stage, name: str, to: str, share: str, steps: tuple[float, ...]) -> Stage:
    """Where a rule goes from a stage: where somebody says, or the next step. Refused, if that is no way ahead."""
    wanted = _wanted(to, share) or following(stage, steps)
    if wanted is None:
        raise Refused(f"{name} decides for everybody already")
    if wanted.reach <= stage.reach:
        raise Refused(f"{name} is at {stage}, and {wanted} is not ahead of that: rules rollback leads back")
    return wanted


def rollback(stage: Stage, name: str, to: str, share: str) -> Stage:
    """Where a rule goes back to: shadow, if nobody says. Refused, if that is no way back."""
    wanted = _wanted(to, share) or SHADOW
    if wanted.reach >= stage.reach:
        raise Refused(f"{name} is at {stage}, and {wanted} is not behind that: rules promote leads ahead")
    return wanted


def _wanted(to: str, share: str) -> Stage | None:
    """The stage that is named; None if none is."""
    if to == "canary" and not share:
        raise Refused("a canary needs a share: --to canary --share 10%")
    if share and to not in ("", "canary"):
        raise Refused(f"--share is a canary's, and not for --to {to}")
    if share:
        try:
            return share_of(share)
        except ValueError:
            raise Refused(f"--share {share!r}: give per cent of the sessions, over 0, at most 100, like 10%") from None
    return {"enforce": ENFORCE, "shadow": SHADOW}.get(to)


def planned(
    generation: Generation, rule: Rule, action: str, to: str, share: str, *, by: str, why: str, at: datetime
) -> Callable[[Rollouts], Move]:
    """The move, as a step for the file, which is refused if the rule was moved since the generation was read."""
    _check_goal(action, to, share)
    known = generation.rollouts
    stage, last, off = known.stage(rule), known.last(rule.name, rule.sha256), known.off(rule.name)
    if action in (ENABLE, DISABLE):
        goal = str(_switched(known, rule, action))
    elif off:
        raise Refused(f"{rule.name} is off: rules enable turns it on, where it was")
    elif to == CONFIGURED:
        if last is None:
            raise Refused(f"{rule.name} is where the configuration says already: at {stage}")
        goal = CONFIGURED
    elif action == PROMOTE:
        steps = of_rule(generation.loaded.settings.plugins.rollout, rule.settings.rollout).steps
        goal = str(promotion(stage, rule.name, to, share, steps))
    else:
        goal = str(rollback(stage, rule.name, to, share))

    def step(rollouts: Rollouts) -> Move:
        if (rollouts.last(rule.name, rule.sha256), rollouts.off(rule.name)) != (last, off):
            now = rollouts.stage(rule)
            raise Refused(f"{rule.name} was moved meanwhile, and is at {now}: look at it, and try again")
        return Move(
            rule=rule.name,
            module=rule.sha256,
            at=at,
            action=action,
            came_from=str(stage),
            to=goal,
            by=by,
            why=why,
        )

    return step


def _check_goal(action: str, to: str, share: str) -> None:
    """Refused, if the action cannot lead there: what nobody knows is not taken for the next step."""
    goals = GOALS[action]
    if to and to not in goals:
        where = f", but to {', '.join(goals)}" if goals else ""
        raise Refused(f"{action} does not lead to {to[:40]!r}{where}")
    if share and ("canary" not in goals or to == CONFIGURED):
        raise Refused(f"a share is a canary's: {' '.join(filter(None, (action, to)))} takes none")


def _switched(rollouts: Rollouts, rule: Rule, action: str) -> Stage:
    """Where the rule is then. Refused, if it is there already, or is not ours to switch."""
    stage = rollouts.stage(rule)
    if action == DISABLE:
        if stage == OFF:
            raise Refused(f"{rule.name} is off already")
        return OFF
    if not rollouts.off(rule.name):
        said = (
            "is off as it is configured: change its mode, or promote it"
            if stage == OFF
            else f"is on already: at {stage}"
        )
        raise Refused(f"{rule.name} {said}")
    return rollouts.stage_if_on(rule)


def unguarded(rule: Rule, action: str) -> str:
    """What to think of when a guard is moved back or switched off; empty otherwise."""
    if rule.settings.fail != "deny" or action not in (ROLLBACK, DISABLE):
        return ""
    return f'{rule.name} has fail = "deny": what it guards is not guarded for sessions that it does not decide for'


def said_by(generation: Generation, rule: Rule) -> str:
    """Whose word on a rule's mode counts: a move's, the configuration's, its manifest's, or nobody's."""
    if generation.rollouts.off(rule.name) or generation.rollouts.last(rule.name, rule.sha256):
        return "rollout"
    table = generation.loaded.settings.rules.get(rule.name, {})
    places = (table, *(inner for name in _PLACES if isinstance(inner := table.get(name), dict)))
    if any("mode" in place for place in places):
        return "configuration"
    return "default" if rule.settings.mode == "enforce" else "manifest"


def status(generation: Generation, rule: Rule, live: Mapping[str, Any] | None) -> dict[str, Any]:
    """Where a rule is, and how it does there as a running proxy tells; `live` is None if none does."""
    rollouts, settings = generation.rollouts, generation.loaded.settings
    stage, off = rollouts.stage(rule), rollouts.off(rule.name)
    last = rollouts.switch(rule.name) if off else rollouts.last(rule.name, rule.sha256)
    own = of_rule(settings.plugins.rollout, rule.settings.rollout)
    ahead = None if off else following(stage, own.steps)
    known = live.get(rule.name) if live is not None else None
    return {
        "name": rule.name,
        "module": rule.sha256,
        "stage": str(stage),
        "set_by": said_by(generation, rule),
        "since": None if last is None else last.at,
        "next": None if ahead is None else str(ahead),
        "held": rollouts.held(rule.name, rule.sha256),
        "auto": own.auto,
        "figures": known if known and known.get("module") == rule.sha256 else None,
        "history": rollouts.history(rule.name),
    }
