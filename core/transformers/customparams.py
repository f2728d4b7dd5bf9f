"""`customparams`: members of the operator's own in every body."""

from typing import Any

from core.transformers.base import Facts, Transformer
from core.transformers.body import Body


def merged(held: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """Both, objects merged member by member. What is there already wins, but for another object."""
    both = dict(held)
    for name, value in extra.items():
        there = both.get(name)
        if isinstance(there, dict) and isinstance(value, dict):
            both[name] = merged(there, value)
        else:
            both.setdefault(name, value)
    return both


def _request(body: Body, options: dict[str, Any], _: Facts) -> None:
    for name, value in options.items():
        held = body.get(name)
        if name not in body:
            body.set(value, name)
        elif isinstance(held, dict) and isinstance(value, dict):
            body.set(merged(held, value), name)


TRANSFORMER = Transformer(
    "customparams", "Adds any members to the body; what is there already wins.", options=None, request=_request
)
