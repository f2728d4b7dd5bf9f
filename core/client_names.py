"""Names that a client chooses: they travel through logs, records and stores, and must be names. Pure.

A model, a tool, a session and a subagent's target are called what the client wants, which could be anything: a key, or
the user's words. What cannot be a name is replaced by a mark, before rules, decisions or records see it: the same for
the same words, and no way back to them but by guessing.
"""

from hashlib import sha256

import msgspec

from core.errors import BadRequest
from core.exchange import Features, Target
from core.names import LONGEST, is_name, mark
from core.redaction import Redactor
from core.routing import explicit
from core.routing.snapshot import Snapshot


def named(features: Features, snapshot: Snapshot, known: Redactor) -> Features:
    """The features with names only. BadRequest if a key stands where a target's name is expected."""
    for place, name in (("model", features.model), ("CCR-SUBAGENT-MODEL", features.subagent_target)):
        if ("," in name or ":" in name) and known.holds(name):
            raise BadRequest(f"{place}: a key stands here; a target's name is expected")
    changes: dict[str, str | tuple[str, ...]] = {
        key: mark(name) if known.holds(name) else _target(name, snapshot)
        for key, name in (("model", features.model), ("subagent_target", features.subagent_target))
        if not is_name(name) or known.holds(name)
    }
    for key, names in (("tools", features.tools), ("provider_tools", features.provider_tools)):
        if not _are_names(names):
            changes[key] = tuple(name if is_name(name) else mark(name) for name in names)
    if known.holds(features.session_id) or known.holds(features.thread):
        changes["session_id"], changes["thread"] = (
            sha256(each.encode()).hexdigest() for each in (features.session_id, features.thread)
        )
    return msgspec.structs.replace(features, **changes) if changes else features


def _are_names(names: tuple[str, ...]) -> bool:
    """As `is_name` of each, for all at once: there may be hundreds, in every request."""
    joined = "".join(names)
    return (
        joined.isascii() and joined.isprintable() and " " not in joined and max(map(len, names), default=0) <= LONGEST
    )


def _target(name: str, snapshot: Snapshot) -> str:
    """A configured target may be called anything. A mark that asks for a target does so in vain, as the words would."""
    sides = name.split(",", 1)
    if all(is_name(side.strip()) for side in sides) or isinstance(explicit.parse(snapshot, name), Target):
        return name
    return f"{mark(name)}," if explicit.parse(snapshot, name) else mark(name)
