"""`anthropic`: a provider of Anthropic's own API, or of a copy of it, that wants its key in one certain header."""

from collections.abc import Mapping
from typing import Literal

from core.transformers.base import ANTHROPIC, Options, Transformer


class Anthropic(Options, frozen=True):
    """`auth`: the header that carries the key; the other one is left out. Without it nothing is changed."""

    auth: Literal["bearer", "x-api-key"] | None = None


def _headers(headers: Mapping[str, str], options: Anthropic) -> dict[str, str]:
    if options.auth is None:
        return dict(headers)
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    key = headers.get("x-api-key") or bearer
    kept = {name: value for name, value in headers.items() if name not in {"authorization", "x-api-key"}}
    if not key:
        return kept
    return kept | ({"authorization": f"Bearer {key}"} if options.auth == "bearer" else {"x-api-key": key})


TRANSFORMER = Transformer(
    "anthropic",
    "Sends the key as a bearer token or as x-api-key only.",
    dialects=(ANTHROPIC,),
    options=Anthropic,
    headers=_headers,
)
