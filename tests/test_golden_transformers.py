"""Golden cases of transformers: `tests/golden/transformers/NAME/CASE.txt`.

    # side=request client=anthropic provider=openai model=M options={"max_tokens":5}
    the client's request
    ---
    the provider's body

    # side=stream client=anthropic provider=openai options={…}
    the client's request (or nothing)
    ===
    the provider's stream
    ---
    the client's stream

`exact` asks for the same bytes instead of the same JSON; `others=["…"]` are transformers listed before this one.
"""

from itertools import count
from pathlib import Path

import msgspec
import pytest
from golden_cases import FOLDER, Case, load
from streams import fed_in_every_way

from core.dialects import CLIENTS, PROVIDERS
from core.dialects.anthropic import Anthropic
from core.dialects.base import Dialect, Origin
from core.dialects.openai_chat import OpenAIChat
from core.dialects.relay import make_relay
from core.dialects.whole import changed, collected, through
from core.errors import BadRequest
from core.exchange import Candidate, Target
from core.messages import Request
from core.preparing import Ready, prepare
from core.transformers import TRANSFORMERS, chain

CASES = sorted(path.relative_to(FOLDER / "transformers") for path in (FOLDER / "transformers").glob("*/*.txt"))
MINIMAL = b'{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}'


def of_side(side: str) -> list[Path]:
    found = [path for path in CASES if loaded(path).options["side"] == side]
    assert found, f"no case of side {side}"
    return found


def loaded(path: Path) -> Case:
    return load(f"transformers/{path.parent}", path.stem)


def ready(case: Case, path: Path, body: bytes) -> tuple[Request, Ready]:
    """The request as decoded, and what the transformer under test makes of it."""
    options = case.options
    request = CLIENTS[options["client"]].decode_request(body)
    request.tokens = int(options.get("tokens", "0"))
    given = msgspec.json.decode(options.get("options", "{}"))
    entries = [*msgspec.json.decode(options.get("others", "[]")), {"name": path.parent.name, **given}]
    candidate = Candidate(Target("p", options.get("model", "m")), drop_thinking="drop_thinking" in options)
    provider = PROVIDERS[options["provider"]]
    return request, prepare(request, CLIENTS[options["client"]], provider, candidate, chain(entries), "http://p")


@pytest.mark.parametrize("path", of_side("request"), ids=str)
def test_a_request_is_made_fit_for_its_provider(path: Path) -> None:
    case = loaded(path)
    _, made = ready(case, path, case.given)
    if "exact" in case.options:
        assert made.body + b"\n" == case.expected
    else:
        assert msgspec.json.decode(made.body) == msgspec.json.decode(case.expected)


@pytest.mark.parametrize("path", of_side("refused"), ids=str)
def test_what_a_provider_would_spoil_is_refused(path: Path) -> None:
    case = loaded(path)
    with pytest.raises(BadRequest) as refused:
        ready(case, path, case.given)
    assert refused.value.message == case.expected.decode().strip()


def dialects() -> dict[str, Dialect]:
    """Fresh ones with a clock that stands and ids that count, so that answers can be compared."""
    ids = count(1)
    return {"anthropic": Anthropic(), "openai": OpenAIChat(lambda: 1_700_000_000.0, lambda: f"new_{next(ids)}")}


@pytest.mark.parametrize("path", of_side("stream"), ids=str)
def test_a_stream_is_changed_the_same_however_it_is_cut(path: Path) -> None:
    case = loaded(path)
    body, _, stream = case.given.partition(b"===\n")

    def run(chunks: list[bytes]) -> bytes:
        known = dialects()
        request, made = ready(case, path, body.strip() or MINIMAL)
        origin = Origin(known[case.options["provider"]], "p", made.changes)
        relay = make_relay(origin, known[case.options["client"]], request)
        return b"".join(frame.data for chunk in chunks for frame in relay.feed(chunk)) + b"".join(
            frame.data for frame in relay.end()
        )

    assert fed_in_every_way(stream, run).decode() == case.expected.decode()


@pytest.mark.parametrize("path", of_side("stream"), ids=str)
def test_a_whole_answer_is_changed_as_its_stream_is(path: Path) -> None:
    case = loaded(path)
    body, _, stream = case.given.partition(b"===\n")
    decoder = dialects()[case.options["provider"]].stream_decoder()
    events = decoder.feed(stream) + decoder.end()
    streamed = collected(through(ready(case, path, body.strip() or MINIMAL)[1].changes, events))
    whole = changed(collected(events), ready(case, path, body.strip() or MINIMAL)[1].changes)
    assert whole == streamed


def test_every_transformer_has_a_case_for_each_of_its_sides() -> None:
    shown = {(path.parent.name, loaded(path).options["side"]) for path in CASES}
    wanted = {
        (name, {"request": "request", "answer": "stream"}[side])
        for name, transformer in TRANSFORMERS.items()
        for side in transformer.sides
        if side != "headers" and set(transformer.dialects) & set(PROVIDERS)
    }
    assert wanted - shown == set()
