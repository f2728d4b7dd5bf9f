"""Which targets a client's key may ask: globs over `provider,model`, case aside. Pure."""

import re
from collections.abc import Iterable, Mapping
from fnmatch import translate
from functools import lru_cache

from core.errors import Problem
from core.exchange import Target
from core.schema import ServerKey, Settings

#: What a target was turned away for.
NOT_ALLOWED = "the client's key may not ask it"


@lru_cache(maxsize=4096)  # names come from clients too
def permitted(name: str, allowed: tuple[str, ...]) -> bool:
    """Whether a key with these globs may ask the target of this name; without any, every one."""
    return not allowed or _compiled(allowed).match(name.lower()) is not None


@lru_cache(maxsize=256)
def _compiled(globs: tuple[str, ...]) -> re.Pattern[str]:
    """One expression; `fnmatch.translate` writes stars as atomic groups, so it cannot backtrack without bound."""
    return re.compile("|".join(translate(glob.lower()) for glob in globs))


def refusal(target: Target, client: str, allowed: tuple[str, ...]) -> str:
    """What a client is told that named a target which its key may not ask."""
    return f"key {client!r} may not ask {target}: {_setting(allowed)}. GET /v1/models lists what it may ask."


def nobody(client: str, allowed: tuple[str, ...], turned_away: Iterable[Target]) -> str:
    """What a client is told when none of the targets that its request would go to is open to its key."""
    asked = ", ".join(map(str, turned_away)) or "none"
    advice = "Name a target as the model, or have one of the key's among routing.fallback"
    said = f"no target of this request is open to key {client!r}: {_setting(allowed)}"
    return f"{said}; it would go to {asked}. {advice}."


def _setting(allowed: tuple[str, ...]) -> str:
    return f"its server.keys[].targets are {', '.join(allowed)}"


def idle(settings: Settings, targets: Mapping[Target, object], where: str) -> list[Problem]:
    """Globs that fit no target, each a problem: a name that was misspelt lets nobody in, or limits nothing."""
    names = [str(target) for target in targets]
    free = [name for name, provider in settings.providers.items() if provider.any_model]
    globs = [
        (f"server key {key.name!r}: targets: {glob!r}", glob, _advice(glob))
        for key in settings.server.keys
        for glob in key.targets
    ]
    globs += [(f"limits.targets: {name!r}", whole(name), "") for name in settings.limits.targets]
    return [
        Problem(where, 0, f"{what} fits no target", advice)
        for what, glob, advice in globs
        if not (any(permitted(name, (glob,)) for name in names) or _fits_unlisted(glob, free))
    ]


def whole(name: str) -> str:
    """A glob as it is, and a provider's name as all of its targets."""
    return name if "," in name else f"{name},*"


def _fits_unlisted(glob: str, providers: Iterable[str]) -> bool:
    """Whether it may fit a model that only a client names."""
    provider, comma, _ = glob.partition(",")
    return bool(comma) and any(permitted(name, (provider,)) for name in providers)


def _advice(glob: str) -> str:
    return "" if "," in glob else f"a target is provider,model: {glob + ',*'!r} is all of a provider's"


def key_named(settings: Settings, name: str) -> ServerKey | None:
    """The client's key of this name."""
    return next((key for key in settings.server.keys if key.name == name), None)
