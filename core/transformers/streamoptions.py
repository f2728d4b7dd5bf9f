"""`streamoptions`: whether a stream's usage is asked for.

The dialect asks for it always: without it nobody knows what a stream has cost. Some servers refuse the member.
"""

from core.transformers.base import OPENAI, Facts, Options, Transformer
from core.transformers.body import Body

_YES = True


class StreamOptions(Options, frozen=True):
    """`include_usage = false` is for servers that refuse `stream_options`."""

    include_usage: bool = True


def _request(body: Body, options: StreamOptions, facts: Facts) -> None:
    if not options.include_usage:
        body.drop("stream_options")
    elif facts.request.stream:
        body.set(_YES, "stream_options", "include_usage")


TRANSFORMER = Transformer(
    "streamoptions",
    "Asks for the usage at the end of a stream, or takes stream_options out.",
    (OPENAI,),
    StreamOptions,
    request=_request,
)
