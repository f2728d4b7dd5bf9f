from collections.abc import Callable
from itertools import count, groupby

import msgspec
import pytest
from golden_cases import folders, load, names
from streams import fed_in_every_way

from core.dialects.anthropic import Anthropic
from core.dialects.base import Dialect, Origin, ProviderDialect
from core.dialects.gemini import Gemini
from core.dialects.ollama import Ollama
from core.dialects.openai_chat import OpenAIChat
from core.dialects.openai_responses import OpenAIResponses
from core.dialects.provider_errors import decode_error
from core.dialects.relay import make_relay
from core.dialects.sealing import sealed_response
from core.messages import Message, Request


def dialects() -> dict[str, Dialect]:
    """Fresh ones with a clock that stands and ids that count, so that answers can be compared."""
    ids = count(1)
    both: tuple[Callable[[], float], Callable[[], str]] = (lambda: 1_700_000_000.0, lambda: f"new_{next(ids)}")
    return {each.name: each for each in (Anthropic(), OpenAIChat(*both), OpenAIResponses(*both))}


def providers(clients: dict[str, Dialect]) -> dict[str, ProviderDialect]:
    """The same, and those that only providers speak."""
    ids = count(1)
    return {**clients, **{each.name: each(lambda: f"new_{next(ids)}") for each in (Gemini, Ollama)}}


def request(dialect: str, *, include_usage: bool) -> Request:
    return Request(
        dialect=dialect,
        raw=b"{}",
        model="asked-model",
        messages=[Message(role="user", content=[])],
        stream=True,
        include_usage=include_usage,
    )


STREAMS = [(pair, name) for pair in folders("streams") for name in names(f"streams/{pair}")]


@pytest.mark.parametrize(("pair", "name"), STREAMS)
def test_a_stream_is_relayed_the_same_however_it_is_cut(pair: str, name: str) -> None:
    case = load(f"streams/{pair}", name)
    source, target = pair.split("_to_")

    def run(chunks: list[bytes]) -> bytes:
        known = dialects()
        asked = request(target, include_usage="include_usage" in case.options)
        relay = make_relay(Origin(providers(known)[source], "p"), known[target], asked)
        frames = [frame for chunk in chunks for frame in relay.feed(chunk)] + relay.end()
        kinds = " ".join(kind for kind, _ in groupby(frame.kind for frame in frames))
        used = relay.usage
        facts = f"{kinds} | {relay.stop_reason or '-'} | in {used.input} out {used.output}"
        facts += f" read {used.cache_read} write {used.cache_write} | {'whole' if relay.complete else 'cut'}\n---\n"
        return facts.encode() + b"".join(frame.data for frame in frames)

    assert fed_in_every_way(case.given, run).decode() == case.expected.decode()


@pytest.mark.parametrize("pair", folders("answers"))
def test_a_whole_answer_is_translated(pair: str) -> None:
    source, target = pair.split("_to_")
    for name in names(f"answers/{pair}"):
        case = load(f"answers/{pair}", name)
        known = dialects()
        response = sealed_response(providers(known)[source].decode_response(case.given), "p")
        body = known[target].encode_response(response, request(target, include_usage=True))
        assert msgspec.json.decode(body) == msgspec.json.decode(case.expected), name


def test_a_provider_s_error_is_read_however_broken_it_is() -> None:
    for name in names("errors"):
        case = load("errors", name)
        type, message = decode_error(int(case.options["status"]), case.given.removesuffix(b"\n"))
        assert f"{type}: {message}" == case.expected.decode().strip(), name
