"""The matrix: what every client sees of what a provider sent, what every provider gets of what a client asked.

    tests/golden/matrix/streams/PROVIDER/SCENARIO.txt    a provider's stream, then what each client sees
    tests/golden/matrix/answers/PROVIDER/SCENARIO.txt    a whole answer
    tests/golden/matrix/errors/PROVIDER/SCENARIO.txt     an error answer (`# status=429`)
    tests/golden/matrix/requests/CLIENT/SCENARIO.txt     a client's body, then what each provider is sent

The first part of a file is a recording; each `--- NAME` begins what the dialect NAME gets. Adding a case is adding a
file with a recording: `python tools/golden.py` writes the missing parts, for review; a new dialect is a folder of
recordings.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
from golden_cases import FOLDER, Case, load_parts

from core.dialects import CLIENTS, PROVIDERS
from core.dialects.base import Origin
from core.dialects.relay import make_relay
from core.dialects.sealing import sealed_response
from core.errors import BadRequest, UpstreamFailed
from core.exchange import Candidate, Target
from core.messages import Message, Request

#: The provider's name in the configuration, and the model that is asked.
NAME, MODEL = "prov", "target-model"
#: Written for bytes that pass as they came.
AS_IT_CAME = b"(as it came)\n"
_MADE_ID = re.compile(rb"proxy_[0-9a-f]{24}")
_CREATED = re.compile(rb'("created(?:_at)?": ?)\d{10}')


class Seen(NamedTuple):
    """A stream at its client: the frames' kinds and what the relay knows, in a line; the bytes; whether it is whole."""

    facts: str
    data: bytes
    complete: bool


def streamed(provider: str, client: str, chunks: Iterable[bytes]) -> Seen:
    """What a client sees of a provider's stream that comes in these chunks."""
    relay = make_relay(Origin(PROVIDERS[provider], NAME), CLIENTS[client], asked(client))
    frames = [frame for chunk in chunks for frame in relay.feed(chunk)] + relay.end()
    kinds = " ".join(kind for kind, _ in groupby(frame.kind for frame in frames))
    used = relay.usage
    facts = f"{kinds} | {relay.stop_reason or '-'} | in {used.input} out {used.output}"
    facts += f" read {used.cache_read} write {used.cache_write} | {'whole' if relay.complete else 'cut'}"
    return Seen(facts, same_each_time(b"".join(frame.data for frame in frames)), relay.complete)


def asked(client: str) -> Request:
    """What the answers are to."""
    return Request(
        dialect=client, raw=b"{}", model="asked-model", messages=[Message(role="user", content=[])], stream=True
    )


def same_each_time(data: bytes) -> bytes:
    """Ids that the proxy made are numbered, its clock stands."""
    known: dict[bytes, bytes] = {}
    numbered = _MADE_ID.sub(lambda found: known.setdefault(found[0], b"proxy_%d" % (len(known) + 1)), data)
    return _CREATED.sub(rb"\g<1>1700000000", numbered)


def stream_part(case: Case, provider: str, client: str) -> bytes:
    seen = streamed(provider, client, [case.given])
    data = AS_IT_CAME if seen.data == case.given else seen.data
    return seen.facts.encode() + b"\n" + data


def answer_part(case: Case, provider: str, client: str) -> bytes:
    try:
        response = PROVIDERS[provider].decode_response(case.given)
    except UpstreamFailed as failed:
        return f"{failed.status} {failed.type}: {failed.message}\n".encode()
    if provider == client:
        return AS_IT_CAME
    return pretty(same_each_time(CLIENTS[client].encode_response(sealed_response(response, NAME), asked(client))))


def error_part(case: Case, provider: str, client: str) -> bytes:
    status = int(case.options["status"])
    kind, message = PROVIDERS[provider].decode_error(status, case.given.strip())
    if provider == client:
        return AS_IT_CAME
    return pretty(CLIENTS[client].error_body(status, kind, message, "req_1"))


def request_part(case: Case, client: str, provider: str) -> bytes:
    """The request line and the body, or why there is none."""
    try:
        path, body = sent(case, client, provider)
    except BadRequest as refused:
        return f"400 {refused.message}\n".encode()
    return f"POST {path}\n".encode() + pretty(body)


def sent(case: Case, client: str, provider: str) -> tuple[str, bytes]:
    """Path and body of a client's request at a provider; BadRequest if it cannot be passed on."""
    limit = case.options.get("max_tokens")
    candidate = Candidate(
        Target(NAME, case.options.get("model", MODEL)),
        max_tokens=int(limit) if limit else None,
        drop_thinking="drop_thinking" in case.options,
    )
    request = CLIENTS[client].decode_request(case.given.strip())
    request.tokens = int(case.options.get("tokens", "1000"))
    body = (
        CLIENTS[client].splice_request(request, candidate)
        if client == provider
        else PROVIDERS[provider].encode_request(request, candidate)
    )
    return PROVIDERS[provider].path(request, candidate), body


def pretty(body: bytes) -> bytes:
    return json.dumps(msgspec.json.decode(body), indent=1, ensure_ascii=False).encode() + b"\n"


class Kind(NamedTuple):
    """`owners` record the cases, `others` get a part each."""

    owners: Mapping[str, Any]
    others: Mapping[str, Any]
    part: Callable[[Case, str, str], bytes]


KINDS: Mapping[str, Kind] = {
    "streams": Kind(PROVIDERS, CLIENTS, stream_part),
    "answers": Kind(PROVIDERS, CLIENTS, answer_part),
    "errors": Kind(PROVIDERS, CLIENTS, error_part),
    "requests": Kind(CLIENTS, PROVIDERS, request_part),
}


def scenarios(kind: str, owner: str) -> list[str]:
    """The names of an owner's cases; none if it has no folder yet."""
    return sorted(path.stem for path in (FOLDER / "matrix" / kind / owner).glob("*.txt"))


def load(kind: str, owner: str, scenario: str) -> Case:
    return load_parts(f"matrix/{kind}/{owner}", scenario)


def cases(kind: str) -> list[tuple[str, str, str]]:
    """(owner, scenario, other) of a kind; never none, so that a moved folder cannot pass."""
    known = KINDS[kind]
    found = [
        (owner, scenario, other)
        for owner in known.owners
        for scenario in scenarios(kind, owner)
        for other in load(kind, owner, scenario).parts
    ]
    assert found, f"no golden cases in matrix/{kind}"
    return found
