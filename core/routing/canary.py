"""Which sessions a canary decides for, and which rules are asked at all. Pure.

A session and a rule have a place together: a number below 2^64, from a hash. The canary decides for places below its
share of all of them. So a session that is in at 5 % is in at 20 %, and being in at one rule says nothing of another.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from core.exchange import Features
from core.session import mark_of
from wasm_host.rule import Rule

_PLACES: Final = 2**64


def place(rule: str, mark: str) -> int:
    """Where a session (`session.mark_of`) stands in the order in which sessions come to be in, below 2^64."""
    return int.from_bytes(blake2b(f"{rule}\0{mark}".encode("utf-8", "replace"), digest_size=8).digest())


def is_in(rule: str, share: float, mark: str) -> bool:
    """Whether a canary of so many per cent decides for the session."""
    return place(rule, mark) * 100 < share * _PLACES


def sided(rule: Rule) -> tuple[Rule, Rule]:
    """A canary as those in its share are asked about it, and as all others are: enforced, and in shadow."""
    inside, outside = (
        msgspec.structs.replace(rule, settings=msgspec.structs.replace(rule.settings, mode=mode, share=None))
        for mode in ("enforce", "shadow")
    )
    return inside, outside


class Canaries:
    """The rules of a snapshot, each canary on the side of the session that asks."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules = [rule for rule in rules if rule.settings.mode != "off"]
        self._sides = {
            number: (share, *sided(rule))
            for number, rule in enumerate(rules)
            if rule.settings.mode == "canary" and (share := rule.settings.share) is not None
        }

    def sides(self, features: Features) -> tuple[list[Rule], dict[str, str]]:
        """The rules to ask for a request, and on which side of each canary its session is (`in`, `out`)."""
        rules = list(self._rules)
        if not self._sides:
            return rules, {}
        mark, named = mark_of(features), dict[str, str]()
        for number, (share, inside, outside) in self._sides.items():
            chosen = is_in(inside.name, share, mark)
            rules[number] = inside if chosen else outside
            named[inside.name] = "in" if chosen else "out"
        return rules, named
