"""Promise: between any client and any provider no byte of an answer is lost or doubled, and no success is invented.

Random answers are written by the scripted provider's own wires, framed and cut at random, relayed, and read by readers
of their own (`heard`). Then each is damaged: what ends as a success must have been one.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec
import upstream
from heard import Heard, Wrong, read, read_whole
from upstream_script import Step
from upstream_wire import Wire

from core.dialects import CLIENTS, PROVIDERS
from core.dialects.base import Origin
from core.dialects.relay import make_relay
from core.dialects.sealing import sealed_response
from core.exchange import Candidate, Target
from core.messages import Message, Request, StreamEvent
from prove.random_answers import answer, cut, damaged, framed
from prove.section import Section

_TOLD: Final = 30
_UNREADABLE: Final = (Wrong, KeyError, TypeError, AttributeError, ValueError, IndexError)
#: What a provider's last word looks like, however the rest of the stream is damaged.
_MARKS: Final[Mapping[str, re.Pattern[bytes]]] = MappingProxyType(
    {
        "anthropic": re.compile(rb"message_stop"),
        "openai": re.compile(rb"finish_reason"),
        "openai-responses": re.compile(rb"response\.(completed|incomplete)"),
        "gemini": re.compile(rb"finishReason|blockReason"),
        "ollama": re.compile(rb'"done"\s*:\s*true'),
    }
)
#: (provider, client, chunks, changed) -> the client's bytes, and whether the relay calls them whole.
Relayed = Callable[[str, str, Iterable[bytes], bool], tuple[bytes, bool]]


def _wire(dialect: str) -> Wire:
    """How the scripted provider writes what is asked for at the dialect's path."""
    asked = Request(dialect=dialect, raw=b"{}", model="m", messages=[Message(role="user", content=[])])
    path = PROVIDERS[dialect].path(asked, Candidate(Target("p", "m"))).partition("?")[0]
    return next(wire for end, wire in upstream.WIRES if path.endswith(end))


#: By a provider's dialect.
WIRES: Final[Mapping[str, Wire]] = MappingProxyType({name: _wire(name) for name in PROVIDERS})


class Same:
    """A change that changes nothing: with it, a stream of the client's own dialect is translated, too."""

    def take(self, event: StreamEvent) -> list[StreamEvent]:
        return [event]


def relayed(provider: str, client: str, chunks: Iterable[bytes], changed: bool) -> tuple[bytes, bool]:
    """As the proxy does it."""
    origin = Origin(PROVIDERS[provider], "p", (Same(),) if changed else ())
    relay = make_relay(origin, CLIENTS[client], _asked(client))
    frames = [frame for chunk in chunks for frame in relay.feed(chunk)] + relay.end()
    ends = [frame.kind for frame in frames if frame.kind in {"terminal", "error"}]
    if len(ends) > 1 or (ends and frames[-1].kind != ends[0]):
        raise Wrong(f"ends more than once: {ends}")
    return b"".join(frame.data for frame in frames), relay.complete


def _asked(client: str) -> Request:
    return Request(dialect=client, raw=b"{}", model="m", messages=[Message(role="user", content=[])], stream=True)


def section(folder: Path, streams: int, relay: Relayed = relayed) -> Section:
    """So many random answers, the pairs in turn."""
    pairs = [(provider, client) for provider in WIRES for client in CLIENTS]
    found = Section(f"{streams} random answers over {len(pairs)} pairs of dialects")
    counts, wrong = Counter[str](), Counter[str]()
    for number in range(streams):
        provider, client = pairs[number % len(pairs)]
        for what, problem in _tried(number, provider, client, relay):
            counts[what] += 1
            if problem:
                wrong[f"{what}, {provider} to {client}: {problem} (answer {number})"] += 1
    found.counts = {what: str(count) for what, count in sorted(counts.items())}
    found.findings = [problem for problem, _ in wrong.most_common(_TOLD)]
    found.findings += [f"and {len(wrong) - _TOLD} more"] if len(wrong) > _TOLD else []
    if not {"sound", "damaged, whole", "damaged, an error", "not streamed"} <= counts.keys():
        found.findings.append(f"too little came of it to show anything: {dict(counts)}")
    found.number = f"{sum(wrong.values())} of {counts.total()} lost, doubled or invented anything"
    return found


def _tried(number: int, provider: str, client: str, relay: Relayed) -> Iterable[tuple[str, str]]:
    """What was tried, and what was wrong with it."""
    rng = random.Random(number)  # noqa: S311 - reproducible on purpose
    step = answer(rng)
    body: dict[str, Any] = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
    frames = list(WIRES[provider].frames(step, body, 0))
    said = read(provider, b"".join(frame.data for frame in frames))
    for changed in (False, True):
        events = framed(frames, rng)
        chunks = cut(b"".join(events), rng)
        yield "sound", differs(step, said, partial(_streamed, provider, client, chunks, relay, changed=changed))
        stream = damaged(events, rng)
        yield _damaged(provider, client, stream, cut(stream, rng), relay, changed=changed)
    whole = WIRES[provider].whole(step, body, 0)
    said = read_whole(provider, msgspec.json.encode(whole))
    yield "not streamed", differs(step, said, partial(_whole, provider, client, whole))


def differs(step: Step, said: Heard, hear: Callable[[], Heard]) -> str:
    """What a client hears otherwise than it was said; empty if nothing.

    The words are due to the script; why it ended and its tokens, of which some dialects say less, to the provider.
    """
    try:
        heard = hear()
    except _UNREADABLE as exc:
        return f"{type(exc).__name__}: {exc}"[:200]
    due = step.think, step.text, [(call.name, call.input) for call in step.tools]
    for lane, one, other in zip(("thinking", "text", "calls"), heard.said(), due, strict=True):
        if one != other:
            return f"another {lane}"
    if (heard.stop, heard.tokens) != (said.stop, said.tokens):
        return f"stop and tokens {heard.stop} {heard.tokens}, not {said.stop} {said.tokens}"
    return ""


def _streamed(provider: str, client: str, chunks: list[bytes], relay: Relayed, *, changed: bool) -> Heard:
    data, complete = relay(provider, client, chunks, changed)
    heard = read(client, data)
    if not (complete and heard.terminal):
        raise Wrong(f"a whole answer ends as {'whole' if complete else heard.error or 'cut'}")
    return heard


def _damaged(
    provider: str, client: str, stream: bytes, chunks: list[bytes], relay: Relayed, *, changed: bool
) -> tuple[str, str]:
    try:
        data, complete = relay(provider, client, chunks, changed)
    except Wrong as exc:
        return "damaged", str(exc)
    what = "damaged, whole" if complete else "damaged, an error"
    said, heard = _read(provider, stream), _read(client, data)
    if complete and not _ended(provider, stream, said):
        return what, "a success that the provider never gave"
    if provider == client and not changed:
        return what, ""  # who reads it sees what the provider wrote
    if heard is None:
        return what, f"no legal stream: {data[-200:]!r}"
    if heard.terminal != complete or bool(heard.error) == complete:
        return what, f"known as {'whole' if complete else 'cut'}, heard as {heard.terminal} {heard.error!r}"
    if said is not None and complete and said.said() != heard.said():
        return what, "other words than the provider's"
    return what, ""


def _read(dialect: str, stream: bytes) -> Heard | None:
    try:
        return read(dialect, stream)
    except _UNREADABLE:
        return None


def _ended(provider: str, stream: bytes, said: Heard | None) -> bool:
    """Whether the provider's last word is there. OpenAI's is `finish_reason`; `[DONE]` only ends the framing."""
    if said is None:
        return bool(_MARKS[provider].search(stream))
    return bool(said.stop) if provider == "openai" else said.terminal


def _whole(provider: str, client: str, body: dict[str, Any]) -> Heard:
    data = msgspec.json.encode(body)
    if provider != client:
        response = sealed_response(PROVIDERS[provider].decode_response(data), "p")
        data = CLIENTS[client].encode_response(response, _asked(client))
    return read_whole(client, data)
