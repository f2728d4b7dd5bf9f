"""What stands before the order: a target that the client named, and a subagent tag."""

import difflib

from core.exchange import Refusal, Target
from core.features import MODEL_CHARS
from core.names import is_name
from core.routing.snapshot import Snapshot

#: It is not quoted: what is no name may be the user's words.
NO_NAME = Refusal(
    404, "model: what stands there is no model's name. GET /v1/models lists all; 'auto' lets the proxy decide."
)


def parse(snapshot: Snapshot, model: str, allowed: tuple[str, ...] = ()) -> Target | Refusal | None:
    """The target that `model` names explicitly: `provider,model`, or `provider:model` of a configured provider.

    None for a plain model name, which the phases decide; a refusal for an explicit name that is not configured, which
    suggests what is `allowed` (`permission`).
    """
    name = model.strip()
    if len(name) > MODEL_CHARS or not name.isprintable():
        # It would travel through logs, headers and sessions.
        return NO_NAME if "," in name or ":" in name else None
    if "," in name:
        provider, _, rest = name.partition(",")
    else:
        provider, colon, rest = name.partition(":")
        if not colon or provider.strip().lower() not in snapshot.settings.providers:
            return None
    provider, rest = provider.strip().lower(), rest.strip()
    known = snapshot.by_lower_name.get(f"{provider},{rest}".lower())
    if known is not None:
        return known
    if not (is_name(provider) and is_name(rest)):
        return NO_NAME
    if provider in snapshot.settings.providers:
        if rest and snapshot.settings.providers[provider].any_model:
            return Target(provider, rest)
        return _unknown(snapshot, f"provider {provider!r} has no model {rest!r}", name, allowed)
    return _unknown(snapshot, f"no provider {provider!r} is configured", name, allowed)


def _unknown(snapshot: Snapshot, what: str, name: str, allowed: tuple[str, ...]) -> Refusal:
    close = difflib.get_close_matches(name, snapshot.open_to(allowed), n=3, cutoff=0.4)
    closest = f"; the closest targets are: {', '.join(close)}" if close else ""
    return Refusal(404, f"model: {what}{closest}. GET /v1/models lists all; 'auto' lets the proxy decide.")
