"""`maxcompletiontokens`: for servers that know the answer's limit only by its newer name."""

from core.transformers.base import OPENAI, Facts, Options, Transformer
from core.transformers.body import Body


def _request(body: Body, _: Options, __: Facts) -> None:
    body.rename("max_tokens", "max_completion_tokens")


TRANSFORMER = Transformer(
    "maxcompletiontokens", "Sends max_tokens as max_completion_tokens, whatever the model.", (OPENAI,), request=_request
)
