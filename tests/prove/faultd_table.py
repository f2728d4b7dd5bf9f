"""Every fault by name: where it happens, what a proxy may make of it, and whether asking again is allowed.

A request names its fault in its prompt: `Directive`. Faults that happen before a request can be read have a port, and
so a provider, of their own.
"""

import re
from enum import Enum
from typing import Final, NamedTuple


class Where(Enum):
    """How far the exchange has come."""

    NOWHERE = "nowhere"
    CONNECTION = "connection"
    HEAD = "head"
    BODY = "body"
    STREAM = "stream"


class May(Enum):
    """What an honest proxy may answer."""

    COMPLETE = "complete"
    ERROR = "error"
    EITHER = "either"


class Fault(NamedTuple):
    """`retriable`: nothing of an answer has been given, so another target may be asked. `shape` names the answer that
    the fault happens to (`chain.SHAPES`). `weight` is its share of the requests; those that cost much have less.
    `ends_early`: the answer has ended before its last words came, which a proxy may leave out.
    """

    where: Where
    may: May
    retriable: bool = True
    port: str = "main"
    shape: str = ""
    dialects: tuple[str, ...] = ("anthropic", "openai", "openai-responses", "gemini")
    streamed: tuple[bool, ...] = (False, True)
    weight: int = 10
    ends_early: bool = False


_CONNECTION, _HEAD, _BODY, _STREAM = Where.CONNECTION, Where.HEAD, Where.BODY, Where.STREAM
_COMPLETE, _ERROR, _EITHER = May.COMPLETE, May.ERROR, May.EITHER
_STREAMED = (True,)
_ORDERED, _OPENAI = ("anthropic", "openai-responses"), ("openai",)
#: Dialects whose calls come in pieces.
_PIECES = ("anthropic", "openai", "openai-responses")

FAULTS: Final[dict[str, Fault]] = {
    # Good answers, in every shape. A proxy that fails these is a finding too.
    "good_text": Fault(Where.NOWHERE, _COMPLETE, shape="text", weight=40),
    "good_thinking": Fault(Where.NOWHERE, _COMPLETE, shape="thinking", weight=20),
    "good_tools": Fault(Where.NOWHERE, _COMPLETE, shape="tools", weight=20),
    "good_long": Fault(Where.NOWHERE, _COMPLETE, shape="long", weight=5),
    "good_tiny": Fault(Where.NOWHERE, _COMPLETE, shape="tiny"),
    "good_slow": Fault(Where.NOWHERE, _COMPLETE, shape="text", weight=5),
    "interim": Fault(Where.NOWHERE, _COMPLETE),
    # Before a request is read.
    "refused": Fault(_CONNECTION, _ERROR, port="refused"),
    "backlog": Fault(_CONNECTION, _ERROR, port="backlog"),
    "bad_tls": Fault(_CONNECTION, _ERROR, port="tls"),
    "accept_close": Fault(_CONNECTION, _ERROR, port="close"),
    "stale_reset": Fault(_CONNECTION, _EITHER, port="stale"),
    # Instead of an answer's head, or in it.
    "close_unanswered": Fault(_HEAD, _ERROR),
    "reset_unanswered": Fault(_HEAD, _ERROR),
    "hang_head": Fault(_HEAD, _ERROR),
    "drip_head": Fault(_HEAD, _ERROR),
    "garbage_status": Fault(_HEAD, _ERROR),
    "header_flood": Fault(_HEAD, _ERROR, weight=3),
    "long_header": Fault(_HEAD, _EITHER, weight=5),
    "interim_flood": Fault(_HEAD, _ERROR, weight=5),
    "header_control": Fault(_HEAD, _EITHER),
    "two_lengths": Fault(_HEAD, _EITHER),
    "redirect": Fault(_HEAD, _ERROR),
    "key_echo": Fault(_HEAD, _ERROR),
    "retry_after_seconds": Fault(_HEAD, _ERROR),
    "retry_after_date": Fault(_HEAD, _ERROR),
    "retry_after_negative": Fault(_HEAD, _ERROR),
    "retry_after_huge": Fault(_HEAD, _ERROR),
    "retry_after_ms": Fault(_HEAD, _ERROR),
    "storm_5xx": Fault(_HEAD, _ERROR),
    "overloaded_529": Fault(_HEAD, _ERROR),
    # In the body, whole or streamed.
    "html_200": Fault(_BODY, _ERROR),
    "empty_200": Fault(_BODY, _ERROR),
    "bad_json": Fault(_BODY, _ERROR),
    "error_object_200": Fault(_BODY, _ERROR),
    "short_length": Fault(_BODY, _ERROR, retriable=False),
    "long_length": Fault(_BODY, _ERROR, retriable=False),
    "bad_chunk": Fault(_BODY, _ERROR, retriable=False),
    "chunked_fin": Fault(_BODY, _ERROR, retriable=False),
    "reset": Fault(_BODY, _ERROR, retriable=False),
    "close_framed_fin": Fault(_BODY, _ERROR, retriable=False),
    "clean_end": Fault(_BODY, _ERROR, retriable=False),
    "hang_mid": Fault(_BODY, _ERROR, retriable=False),
    "keepalive_stall": Fault(_BODY, _ERROR, retriable=False),
    "drip_body": Fault(_BODY, _ERROR, retriable=False),
    "gzip_bomb": Fault(_BODY, _ERROR, weight=3),
    "zstd_bomb": Fault(_BODY, _ERROR, weight=3),
    "gzip_answer": Fault(_BODY, _EITHER),
    "wrong_type": Fault(_BODY, _EITHER),
    "stream_for_whole": Fault(_BODY, _EITHER, streamed=(False,)),
    "whole_for_stream": Fault(_BODY, _EITHER, streamed=_STREAMED),
    "line_100mb": Fault(_BODY, _ERROR, weight=1),
    "usage_missing": Fault(_BODY, _COMPLETE),
    "usage_negative": Fault(_BODY, _EITHER),
    "usage_huge": Fault(_BODY, _EITHER),
    # In a stream's events.
    "odd_sse": Fault(_STREAM, _COMPLETE, streamed=_STREAMED),
    "unfinished_event": Fault(_STREAM, _EITHER, streamed=_STREAMED),
    "unknown_events": Fault(_STREAM, _COMPLETE, streamed=_STREAMED),
    "error_first": Fault(_STREAM, _ERROR, streamed=_STREAMED),
    "error_event": Fault(_STREAM, _ERROR, retriable=False, streamed=_STREAMED),
    "error_openrouter": Fault(_STREAM, _ERROR, retriable=False, streamed=_STREAMED, dialects=_OPENAI),
    "after_terminal": Fault(_STREAM, _COMPLETE, streamed=_STREAMED),
    "two_terminals": Fault(_STREAM, _COMPLETE, streamed=_STREAMED),
    "no_done": Fault(_STREAM, _EITHER, streamed=_STREAMED, dialects=_OPENAI),
    "done_only": Fault(_STREAM, _ERROR, streamed=_STREAMED, dialects=_OPENAI),
    "late_content": Fault(_STREAM, _EITHER, streamed=_STREAMED, dialects=(*_OPENAI, "gemini"), ends_early=True),
    "wrong_order": Fault(_STREAM, _ERROR, streamed=_STREAMED, dialects=_ORDERED),
    "wrong_index": Fault(_STREAM, _ERROR, streamed=_STREAMED, dialects=_ORDERED),
    "tool_cut": Fault(_STREAM, _ERROR, retriable=False, shape="tools", streamed=_STREAMED, dialects=_PIECES),
}

#: Answers that nobody can judge because they never end: for clients that leave.
ENDLESS: Final[dict[str, Fault]] = {
    "hang_opened": Fault(_STREAM, _ERROR, streamed=_STREAMED),
    "endless": Fault(_STREAM, _ERROR, streamed=_STREAMED),
}

_DIRECTIVE: Final = re.compile(rb"\[\[fault ([a-z0-9_]+) (\d+) ([0-9a-f]{12})\]\]")


class Directive(NamedTuple):
    """What a request asks for."""

    fault: str
    seed: int
    nonce: str

    def __str__(self) -> str:
        return f"[[fault {self.fault} {self.seed} {self.nonce}]]"


def read_directive(body: bytes) -> Directive | None:
    """The last one of a request's body."""
    found = _DIRECTIVE.findall(body)
    if not found or found[-1][0].decode() not in FAULTS | ENDLESS:
        return None
    name, seed, nonce = found[-1]
    return Directive(name.decode(), int(seed), nonce.decode())
