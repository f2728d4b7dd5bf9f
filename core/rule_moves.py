"""Moves of rules as people ask for them, whether on the command line or on the page: found, planned and written."""

import difflib
from datetime import UTC, datetime
from typing import NamedTuple

from core.generation import Generation
from core.rollout import Move
from core.rollout_plan import Refused, planned
from core.state.rollouts import RolloutFile
from wasm_host.files import Unusable
from wasm_host.rule import Rule


class NoSuchRule(LookupError):
    """There is no rule of this name: where it was looked for, and the closest."""


class Asked(NamedTuple):
    """`action` is promote, rollback, enable or disable; `to` and `share` as on the command line; `by` is who asks."""

    action: str
    by: str
    to: str = ""
    share: str = ""
    why: str = ""


def rule_of(generation: Generation, name: str) -> Rule:
    """The rule of this name. NoSuchRule."""
    found = {rule.name: rule for rule in generation.files.rules}
    if name not in found:
        close = difflib.get_close_matches(name, found, 1)
        hint = f"did you mean {close[0]}?" if close else "see: terraphim-proxy rules list"
        raise NoSuchRule(f"there is no rule {name!r} in {generation.loaded.settings.plugins.dir}; {hint}")
    return found[name]


def file_of(generation: Generation) -> RolloutFile:
    """Where its moves are written."""
    if generation.loaded.state is None:
        raise AssertionError("a configuration that was loaded has a state folder")
    return RolloutFile(generation.loaded.state)


def move(generation: Generation, rule: Rule, asked: Asked) -> Move:
    """The move, written. Refused if there is no such way, or somebody was faster; it may wait for others."""
    file, at = file_of(generation), datetime.now(UTC).replace(microsecond=0)
    step = planned(generation, rule, asked.action, asked.to, asked.share, by=asked.by, why=asked.why, at=at)
    try:
        return file.change(step)
    except Unusable as exc:
        raise Refused(f"{file.path}: {exc.message}; {exc.hint}") from None
