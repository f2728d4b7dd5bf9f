"""Which rules are left alone for now: breakers and quarantine, by rule name and module. Pure; time in seconds.

A module that changes starts with a clean record.
"""

from collections.abc import Iterable
from typing import Final

from wasm_host import abi
from wasm_host.answer import Outcome
from wasm_host.breaker import CLOSED, Breaker
from wasm_host.rule import Rule

#: A rule in which workers died is not asked again until its module changes.
QUARANTINE: Final = "quarantine"


class _Record:
    def __init__(self) -> None:
        self.breaker = Breaker()
        self.quarantine = ""


class Health:
    """The records of the rules that serve."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], _Record] = {}

    def keep(self, rules: Iterable[Rule]) -> None:
        """Forget all others."""
        keys = {_key(rule) for rule in rules}
        self._records = {key: record for key, record in self._records.items() if key in keys}

    @property
    def calm(self) -> bool:
        """Whether no rule has failed yet: then all may be asked."""
        return not self._records

    def state(self, rule: Rule) -> str:
        """One of `breaker.STATES`, or `quarantine`."""
        record = self._records.get(_key(rule))
        return CLOSED if record is None else QUARANTINE if record.quarantine else record.breaker.state

    def why_not(self, rule: Rule, now: float) -> str:
        """Why the rule is not asked; empty if it is, and if it may be as a probe, that is taken."""
        if why := self.rests(rule, now):
            return why
        if record := self._records.get(_key(rule)):
            record.breaker.admits(now)
        return ""

    def rests(self, rule: Rule, now: float) -> str:
        """The same, and to ask changes nothing."""
        record = self._records.get(_key(rule))
        if record is None:
            return ""
        if record.quarantine:
            return f"quarantine: {record.quarantine}"
        return "breaker: too many faults in a minute" if record.breaker.wait_s(now) else ""

    def record(self, rule: Rule, outcome: Outcome, now: float) -> None:
        """What came of a call."""
        fault = outcome.code in abi.FAULTS and outcome.code != "skipped"
        record = self._records.get(_key(rule))
        if record is None and fault:
            record = self._records[_key(rule)] = _Record()
        if record is not None:
            record.breaker.record(fault=fault, now=now)

    def withdraw(self, rule: Rule, now: float) -> None:
        """The rule was not asked after all: one before it decided."""
        if record := self._records.get(_key(rule)):
            record.breaker.withdraw(now)

    def quarantine(self, rule: Rule, reason: str) -> None:
        """The rule is not asked again."""
        self._records.setdefault(_key(rule), _Record()).quarantine = reason


def _key(rule: Rule) -> tuple[str, str]:
    return rule.name, rule.sha256
