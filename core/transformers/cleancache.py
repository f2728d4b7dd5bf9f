"""`cleancache`: no cache marks, for servers that copy an API and refuse its `cache_control`."""

from core.transformers.base import ANTHROPIC, OPENAI, Facts, Options, Transformer
from core.transformers.body import Body
from core.transformers.wire import without_key

_MARK = "cache_control"


def clean(body: Body, *names: str) -> None:
    """Take the marks out of these members. A tool's own argument of that name stays."""
    for name in names:
        body.map_raw(name, lambda raw: without_key(raw, _MARK))


def _request(body: Body, _: Options, __: Facts) -> None:
    clean(body, "system", "messages", "tools")
    body.drop(_MARK)


TRANSFORMER = Transformer("cleancache", "Removes every cache_control.", (ANTHROPIC, OPENAI), request=_request)
