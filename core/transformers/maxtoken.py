"""`maxtoken`: an upper limit of the answer's length."""

from typing import Annotated

from msgspec import Meta

from core.transformers.base import Facts, Options, Transformer
from core.transformers.body import Body
from core.transformers.wire import cap


class MaxToken(Options, frozen=True):
    """`max_tokens`: the most that is asked for."""

    max_tokens: Annotated[int, Meta(ge=1)]


def _request(body: Body, options: MaxToken, facts: Facts) -> None:
    cap(body, facts, options.max_tokens)


TRANSFORMER = Transformer(
    "maxtoken", "Lowers a longer limit of the answer's length to this one.", options=MaxToken, request=_request
)
