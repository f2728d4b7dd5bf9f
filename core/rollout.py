"""How far a rule is rolled out: off, shadow, a canary of a share of the sessions, everybody. Pure.

What was decided is a list of moves, each of one module (by its SHA-256) of one rule; the last one says the module's
stage, which goes before what the configuration and the manifest say. So a module that changes begins again there. To
switch a rule off or on is a move of the rule, whatever its module is: a new one does not come on by itself.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from wasm_host.rule import Rule, RuleSet, wants_of
from wasm_host.shadow import to_toml

VERSION: Final = 1
#: Moves of a rule that are kept, the latest.
KEPT: Final = 50
#: What takes the last word from the moves and gives it back to the configuration.
CONFIGURED: Final = "configured"
PROMOTE, ROLLBACK = "promote", "rollback"
ENABLE, DISABLE = "enable", "disable"
#: What is done to a rule, and leaves its modules at their stages.
SWITCHES: Final = frozenset({ENABLE, DISABLE})
_HEAD: Final = """\
# How far rules are rolled out: the last move of a module says its stage, the last `enable` or `disable` of a rule
# whether it is asked. Written by `terraphim-proxy rules promote`, `rollback`, `enable` and `disable`, by the page, and
# by proxies that roll back; they take a change up at once.
"""
_STAGE: Final = re.compile(r"(off|shadow|enforce)|canary (\d{1,3}(?:\.\d{1,10})?)%")


class Stage(NamedTuple):
    """For whom a rule decides; `share` is a canary's, in per cent of the sessions."""

    mode: str
    share: float | None = None

    def __str__(self) -> str:
        return self.mode if self.share is None else f"{self.mode} {as_text(self.share)}%"

    @property
    def reach(self) -> float:
        """Per cent of the sessions; to decide for all is more than a canary of all, and off is less than shadow."""
        return {"off": -1.0, "shadow": 0.0, "enforce": 101.0}.get(self.mode, self.share or 0.0)

    @classmethod
    def parse(cls, text: str) -> "Stage":
        """As `str` writes it; ValueError for anything else."""
        found = _STAGE.fullmatch(text)
        if found and found[1]:
            return cls(found[1])
        if found and 0 < float(found[2]) <= 100:
            return cls("canary", float(found[2]))
        raise ValueError(f"{text[:40]!r} is not off, shadow, enforce, or canary with a share like 5%")


OFF, SHADOW, ENFORCE = Stage("off"), Stage("shadow"), Stage("enforce")


def as_text(share: float) -> str:
    """A share without an exponent or zeros at its end."""
    return f"{share:.10f}".rstrip("0").rstrip(".")


def stage_of(rule: Rule) -> Stage:
    """What a rule's own settings say."""
    return Stage(rule.settings.mode, rule.settings.share)


class Move(Struct, frozen=True, kw_only=True, rename={"came_from": "from"}, forbid_unknown_fields=True):
    """One change. `module` is a SHA-256, `at` the time of day with its zone; `automatic`: by a proxy, of itself."""

    rule: str
    module: str
    at: datetime
    action: str
    came_from: str
    to: str
    by: str
    automatic: bool = False
    why: str = ""


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    move: tuple[Move, ...] = ()


class Rollouts(Struct, frozen=True):
    """All moves, the latest last."""

    moves: tuple[Move, ...] = ()

    def last(self, rule: str, module: str) -> Move | None:
        """The move that counts for a module; None if the configuration does."""
        own = (move for move in reversed(self.moves) if (move.rule, move.module) == (rule, module))
        move = next((move for move in own if move.action not in SWITCHES), None)
        return None if move is None or move.to == CONFIGURED else move

    def off(self, rule: str) -> bool:
        """Whether somebody has switched the rule off."""
        switch = self.switch(rule)
        return switch is not None and switch.action == DISABLE

    def switch(self, rule: str) -> Move | None:
        """The last time that somebody switched it off or on."""
        own = (move for move in reversed(self.moves) if move.rule == rule and move.action in SWITCHES)
        return next(own, None)

    def stage(self, rule: Rule) -> Stage:
        """Where a rule is, whose settings are those of configuration and manifest."""
        return OFF if self.off(rule.name) else self.stage_if_on(rule)

    def stage_if_on(self, rule: Rule) -> Stage:
        """Where it is, or would be if nobody had switched it off."""
        move = self.last(rule.name, rule.sha256)
        return stage_of(rule) if move is None else Stage.parse(move.to)

    def held(self, rule: str, module: str) -> bool:
        """Whether the module was rolled back, so that only a person may promote it."""
        move = self.last(rule, module)
        return move is not None and move.action == ROLLBACK

    def history(self, rule: str) -> list[Move]:
        """The rule's moves, of whichever module."""
        return [move for move in self.moves if move.rule == rule]

    def then(self, move: Move) -> "Rollouts":
        """With one more; of each rule, only the latest are kept, switches and others apart: none drives out the other,
        so that to switch on and off forgets no stage.
        """
        switch = move.action in SWITCHES
        before = [old for old in self.history(move.rule) if (old.action in SWITCHES) is switch]
        gone = {id(old) for old in before[: max(0, len(before) + 1 - KEPT)]}
        return Rollouts((*(old for old in self.moves if id(old) not in gone), move))


def parse(data: bytes) -> Rollouts:
    """The moves of a file; ValueError says what is wrong with it."""
    try:
        plain = tomllib.loads(data.decode())
        version = plain.get("version")
        if isinstance(version, int) and version > VERSION:
            raise ValueError(f"it was written by a newer program (version {version}; this one knows {VERSION})")
        found = msgspec.convert(plain, _File)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, msgspec.ValidationError) as exc:
        raise ValueError(f"it is no list of moves: {str(exc)[:200]}") from None
    for move in found.move:
        if move.to != CONFIGURED:
            Stage.parse(move.to)
    return Rollouts(found.move)


def render(rollouts: Rollouts) -> bytes:
    """The file's text."""
    plain = (msgspec.to_builtins(move, builtin_types=(datetime,)) for move in rollouts.moves)
    text = "".join(f"\n[[move]]\n{to_toml(move)}" for move in plain)
    return f"{_HEAD}version = {VERSION}\n{text}".encode()


def following(stage: Stage, steps: Sequence[float]) -> Stage | None:
    """The next step above a stage; None above everybody. `steps` are canaries' shares."""
    if stage == OFF:
        return SHADOW
    ahead = [Stage("canary", share) for share in sorted(steps) if share > stage.reach]
    return None if stage == ENFORCE else ahead[0] if ahead else ENFORCE


def applied(rules: RuleSet, rollouts: Rollouts) -> RuleSet:
    """The same rules, each at its stage."""
    staged = tuple(_at(rule, rollouts.stage(rule)) for rule in rules.rules)
    return rules if staged == rules.rules else msgspec.structs.replace(rules, rules=staged, wants=wants_of(staged))


def _at(rule: Rule, stage: Stage) -> Rule:
    if stage == stage_of(rule):
        return rule
    return msgspec.structs.replace(
        rule, settings=msgspec.structs.replace(rule.settings, mode=stage.mode, share=stage.share)
    )


def tables(operator: Mapping[str, Mapping[str, Any]], rules: RuleSet, rollouts: Rollouts) -> dict[str, dict[str, Any]]:
    """The operator's `[rules.NAME]` with the moves' word in them: who reads these modules with them gets `applied`."""
    told = {name: dict(table) for name, table in operator.items()}
    for rule in rules.rules:
        if rollouts.off(rule.name) or rollouts.last(rule.name, rule.sha256):
            stage, table = rollouts.stage(rule), _silent(told.get(rule.name, {}))
            share = {} if stage.share is None else {"share": stage.share}
            told[rule.name] = {**table, "mode": stage.mode, **share}
    return told


def _silent(table: Mapping[str, Any]) -> dict[str, Any]:
    """An operator's table without its own word on the mode, wherever it stands in it."""
    plain = {key: value for key, value in table.items() if key not in ("mode", "share")}
    for inner in ("rule", "policy"):
        if isinstance(plain.get(inner), Mapping):
            plain[inner] = {key: value for key, value in plain[inner].items() if key not in ("mode", "share")}
    return plain
