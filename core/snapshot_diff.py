"""What differs between two snapshots: settings key by key, concepts, rules. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from core.restart import NAMES
from core.rolegraph import Concept, Taxonomy
from core.routing.snapshot import Snapshot
from wasm_host.rule import Rule

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
#: Of a taxonomy's file: what is compared beside patterns and routes.
_FACTS: Final = ("title", "type", "priority", "pinned", "path")


class Setting(Struct, frozen=True):
    """A key with dots, its values (None: not there), and whether it waits for a restart."""

    key: str
    old: Any
    new: Any
    restart: bool


class Part(Struct, frozen=True):
    """A concept or a rule by name. `facts` maps what differs to its old and its new value."""

    name: str
    change: str
    facts: dict[str, tuple[Any, Any]] = {}


class Difference(Struct, frozen=True):
    """From one to the other. `parts` are those of the id that differ (`routing.snapshot_id`)."""

    old: str
    new: str
    parts: list[str]
    settings: list[Setting]
    taxonomy: list[Part]
    rules: list[Part]

    @property
    def empty(self) -> bool:
        """Nothing differs."""
        return not (self.parts or self.settings or self.taxonomy or self.rules)


def difference(old: Snapshot, new: Snapshot) -> Difference:
    """What changes from `old` to `new`."""
    return Difference(
        old=old.digest,
        new=new.digest,
        parts=[name for name in new.parts if old.parts.get(name) != new.parts[name]],
        settings=list(_settings(old.settings.model_dump(mode="json"), new.settings.model_dump(mode="json"))),
        taxonomy=list(_parts(_concepts(old.taxonomy), _concepts(new.taxonomy))),
        rules=list(_parts(_rules(old.rules.rules), _rules(new.rules.rules))),
    )


def _settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Setting]:
    before, after = dict(_flat(old, "")), dict(_flat(new, ""))
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            yield Setting(key, before.get(key), after.get(key), key in NAMES)


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", value


def _concepts(taxonomy: Taxonomy) -> dict[str, dict[str, Any]]:
    return {concept.name: _concept(concept) for concept in taxonomy.concepts}


def _concept(concept: Concept) -> dict[str, Any]:
    return {name: getattr(concept, name) for name in _FACTS} | {
        "patterns": sorted(pattern.text for pattern in concept.patterns),
        "triggers": [trigger.text for trigger in concept.triggers],
        "routes": [route.target for route in concept.routes],
    }


def _rules(rules: tuple[Rule, ...]) -> dict[str, dict[str, Any]]:
    names = ("priority", "mode", "share", "fail", "allow_deny", "routes", "grant")
    return {
        rule.name: {"sha256": rule.sha256[:12]}
        | {name: getattr(rule.settings, name) for name in names}
        | {"config": rule.config.decode(), "fuel": rule.settings.limits.fuel}
        for rule in rules
    }


def _parts(old: Mapping[str, dict[str, Any]], new: Mapping[str, dict[str, Any]]) -> Iterator[Part]:
    for name in sorted({*old, *new}):
        before, after = old.get(name, {}), new.get(name, {})
        facts = {
            key: (before.get(key), after.get(key)) for key in (before or after) if before.get(key) != after.get(key)
        }
        if facts:
            yield Part(name, CHANGED if before and after else ADDED if after else REMOVED, facts)


def lines(found: Difference) -> list[str]:
    """For people."""
    if found.empty:
        return [f"{found.old[:12]}: nothing differs"]
    told = [f"{found.old[:12]} -> {found.new[:12]}" + (f" ({', '.join(found.parts)})" if found.parts else "")]
    for setting in found.settings:
        note = "   (from the next start)" if setting.restart else ""
        told.append(f"  {setting.key}: {_shown(setting.old)} -> {_shown(setting.new)}{note}")
    for kind, parts in (("concept", found.taxonomy), ("rule", found.rules)):
        for part in parts:
            told.append(f"  {kind} {part.name} {part.change}")
            told += [f"    {line}" for key, (old, new) in part.facts.items() for line in _fact(part, key, old, new)]
    return told


def _fact(part: Part, key: str, old: Any, new: Any) -> list[str]:
    if part.change != CHANGED:
        worth = new if part.change == ADDED else old
        return [f"{key} {_shown(worth)}"] if key in ("sha256", "mode", "priority", "patterns", "routes") else []
    if key == "patterns":
        gone, come = sorted({*old} - {*new}), sorted({*new} - {*old})
        return [f"- {text}" for text in gone] + [f"+ {text}" for text in come]
    return [f"{key}: {_shown(old)} -> {_shown(new)}"]


def _shown(value: Any) -> str:
    if value is None:
        return "(none)"
    return ", ".join(map(str, value)) or "(none)" if isinstance(value, list | tuple) else str(value)
