"""The work that is counted: fixed, and the same in every run."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from msgspec import Struct

from bench import bodies, decisions, translation
from bench.check.in_process import Answers, InProcess
from core.dialects import CLIENTS, PROVIDERS
from core.dialects.base import Origin
from core.dialects.relay import make_relay
from core.messages import Message, Request
from wasm_host.rule import RuleSet

_HEAD: Final = (
    b"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1:3456\r\nUser-Agent: claude-cli/2.1.330 (external, cli)\r\n"
    b"Accept: application/json\r\nContent-Type: application/json\r\nAnthropic-Version: 2023-06-01\r\n"
    b"Content-Length: %d\r\n\r\n"
)
_ANSWER: Final = (
    b'{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hello"}],'
    b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":1}}'
)


class Piece(Struct, frozen=True):
    """A piece of work, which is done so many times. `run` does it once."""

    name: str
    times: int
    run: Callable[[], object]


@contextmanager
def pieces() -> Iterator[list[Piece]]:
    """All of them, ready to run."""
    with TemporaryDirectory() as folder, _whole(Path(folder)) as whole:
        yield [
            *(_decision(size, make) for size, make in (("300 B", bodies.small), ("100 KB", bodies.large))),
            Piece("a stream of 200 events, openai to anthropic", 3, _stream("openai", "anthropic")),
            Piece("a stream of 200 events, anthropic to anthropic", 3, _stream("anthropic", "anthropic")),
            *whole,
        ]


def _decision(size: str, make: Callable[[], bytes]) -> Piece:
    call, pipeline = decisions.prepared(make(), decisions.snapshot(RuleSet()))
    asyncio.run(decisions.explained(pipeline, call, "default"))
    body = call.request.raw
    return Piece(f"decode, count and decide, {size}", 20, lambda: decisions.at_once(pipeline.explain(call, body)))


def _stream(provider: str, client: str) -> Callable[[], None]:
    chunks = translation.stream(provider)
    asked = Request(dialect=client, raw=b"{}", model="m", messages=[Message(role="user", content=[])], stream=True)

    def run() -> None:
        relay = make_relay(Origin(PROVIDERS[provider], "p"), CLIENTS[client], asked)
        for chunk in chunks:
            relay.feed(chunk)
        relay.end()
        if not relay.complete:
            raise RuntimeError("the stream is not whole")

    return run


@contextmanager
def _whole(folder: Path) -> Iterator[list[Piece]]:
    """Requests through the whole proxy."""
    found = []
    proxies = []
    for name, times, body, provider in (
        ("300 B", 20, bodies.small(), Answers("application/json", [_ANSWER])),
        ("100 KB", 10, bodies.large(stream=False), Answers("application/json", [_ANSWER])),
        (
            "300 B, streamed",
            10,
            bodies.small(stream=True),
            Answers("text/event-stream", translation.stream("anthropic")),
        ),
    ):
        home = folder / name.replace(" ", "")
        home.mkdir(mode=0o700)
        proxy = InProcess(home, "anthropic", provider)
        proxies.append(proxy)
        request = _HEAD % len(body) + body
        found.append(Piece(f"a request of {name}", times, lambda p=proxy, r=request: p.ask(r)))  # type: ignore[misc]
    try:
        yield found
    finally:
        for proxy in proxies:
            proxy.close()
