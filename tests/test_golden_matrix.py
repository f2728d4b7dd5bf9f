"""Every client with every provider. `make golden-all` cuts every stream at each byte; here it is a seeded sample."""

import random
from collections.abc import Iterator
from functools import cache

import golden_matrix
import msgspec
import pytest
from golden_matrix import AS_IT_CAME, KINDS, Seen, cases, load, scenarios, streamed
from heard import read, read_error, read_whole
from streams import chunkings

from core.dialects import PROVIDERS
from strict.judging import judge

#: What to do about a difference.
MEANT = "if this is meant: python tools/golden.py --all KIND/OWNER/SCENARIO, and read the diff"
#: A longer stream is cut at so many seeded places instead of at each byte.
EVERY_CUT, CUTS = 4096, 64
#: Cuts of each stream in the sample, and one in how many streams is cut at each byte.
SAMPLE_CUTS, SAMPLE = 12, 16


def in_two(stream: bytes, count: int) -> Iterator[list[bytes]]:
    """The stream whole, byte by byte, and in two at so many seeded places."""
    places = random.Random(len(stream)).sample(range(1, len(stream)), min(count, len(stream) - 1))  # noqa: S311
    yield [stream]
    yield [stream[at : at + 1] for at in range(len(stream))]
    yield from ([stream[:at], stream[at:]] for at in places)


def relayed_alike(provider: str, client: str, ways: Iterator[list[bytes]]) -> Seen:
    """What the client sees, shown to be the same in all these ways."""
    seen = streamed(provider, client, next(ways))
    for chunks in ways:
        assert streamed(provider, client, chunks) == seen, f"differs when cut into {[len(each) for each in chunks][:9]}"
    return seen


def check_stream(provider: str, scenario: str, client: str, ways: Iterator[list[bytes]]) -> None:
    case = load("streams", provider, scenario)
    seen = relayed_alike(provider, client, ways)
    facts, _, data = case.parts[client].partition(b"\n")
    assert seen.facts == facts.decode(), MEANT
    assert seen.data.decode() == (case.given if data == AS_IT_CAME else data).decode(), MEANT
    assert accounted(provider, case.given, client, seen) == ""


def accounted(provider: str, given: bytes, client: str, seen: Seen) -> str:
    """What is wrong between what the provider said and what the client heard, both read by others than the proxy."""
    said, heard = read(provider, given), read(client, seen.data)
    if not said.terminal == heard.terminal == seen.complete:
        return f"terminal: said {said.terminal}, heard {heard.terminal}, known {seen.complete}"
    if not said.terminal:
        lanes = zip(said.pieces()[:2], heard.pieces()[:2], strict=True)
        prefixes = all(whole.startswith(part) for whole, part in lanes)
        return "" if heard.error and prefixes else f"a cut stream is heard as {heard}"
    if said.said() != heard.said():
        return f"said {said.said()}, heard {heard.said()}"
    return "" if (said.stop, said.tokens) == (heard.stop, heard.tokens) else f"said {said}, heard {heard}"


STREAMS = cases("streams")


@pytest.mark.parametrize(("provider", "scenario", "client"), STREAMS)
def test_a_stream_s_words_arrive(provider: str, scenario: str, client: str) -> None:
    check_stream(provider, scenario, client, in_two(load("streams", provider, scenario).given, SAMPLE_CUTS))


@pytest.mark.parametrize(
    ("provider", "scenario", "client"),
    random.Random(5).sample(STREAMS, max(4, len(STREAMS) // SAMPLE)),  # noqa: S311
)
def test_a_stream_arrives_cut_at_each_byte(provider: str, scenario: str, client: str) -> None:
    check_every_cut(provider, scenario, client)


@pytest.mark.golden
@pytest.mark.parametrize(("provider", "scenario", "client"), STREAMS)
def test_every_stream_arrives_cut_at_each_byte(provider: str, scenario: str, client: str) -> None:
    check_every_cut(provider, scenario, client)


def check_every_cut(provider: str, scenario: str, client: str) -> None:
    given = load("streams", provider, scenario).given
    check_stream(provider, scenario, client, chunkings(given) if len(given) <= EVERY_CUT else in_two(given, CUTS))


@pytest.mark.parametrize(("provider", "scenario", "client"), cases("answers"))
def test_a_whole_answer_s_words_arrive(provider: str, scenario: str, client: str) -> None:
    case = load("answers", provider, scenario)
    part = golden_matrix.answer_part(case, provider, client)
    assert part.decode() == case.parts[client].decode(), MEANT
    if part.startswith(b"{"):
        said, heard = read_whole(provider, case.given), read_whole(client, part)
        assert (said.said(), said.stop, said.tokens) == (heard.said(), heard.stop, heard.tokens)


@pytest.mark.parametrize(("provider", "scenario", "client"), cases("errors"))
def test_an_error_is_told_in_the_client_s_words(provider: str, scenario: str, client: str) -> None:
    case = load("errors", provider, scenario)
    part = golden_matrix.error_part(case, provider, client)
    assert part.decode() == case.parts[client].decode(), MEANT
    message = read_error(provider, case.given).partition(": ")[2]
    assert read_error(client, case.given if part == AS_IT_CAME else part).partition(": ")[2] == message


@pytest.mark.parametrize(("client", "scenario", "provider"), cases("requests"))
def test_a_request_reaches_every_provider(client: str, scenario: str, provider: str) -> None:
    case = load("requests", client, scenario)
    part = golden_matrix.request_part(case, client, provider)
    assert part.decode() == case.parts[provider].decode(), MEANT
    if part.startswith(b"POST"):
        path, body = golden_matrix.sent(case, client, provider)
        headers = PROVIDERS[provider].auth_headers("key", "https://example.com")
        own = judge(path, headers, msgspec.json.decode(case.given)) if client == provider else []
        refused = set(judge(path, headers, msgspec.json.decode(body))) - set(own)
        assert refused == set(), "a real provider would refuse what the proxy made of it"


#: What a dialect has no words for, and why.
NOT_THERE: dict[tuple[str, str], frozenset[str]] = {
    # A refusal is a stop_reason, whatever was said before it.
    ("streams", "anthropic"): frozenset({"refusal_in_words"}),
    ("answers", "anthropic"): frozenset({"refusal_in_words"}),
    # Calls come whole.
    ("streams", "gemini"): frozenset({"refusal_in_words", "max_tokens_in_a_call", "cut_in_a_call"}),
    ("answers", "gemini"): frozenset({"refusal_in_words"}),
    # A local model has no filter.
    ("streams", "ollama"): frozenset({"refusal", "refusal_in_words", "max_tokens_in_a_call", "cut_in_a_call"}),
    ("answers", "ollama"): frozenset({"refusal", "refusal_in_words"}),
    # The API has no stop sequences.
    ("requests", "openai-responses"): frozenset({"stop_sequences"}),
}


@cache
def named(kind: str) -> frozenset[str]:
    """Every scenario that any dialect has."""
    return frozenset(name for owner in KINDS[kind].owners for name in scenarios(kind, owner))


@pytest.mark.parametrize(("kind", "owner"), [(kind, owner) for kind in KINDS for owner in KINDS[kind].owners])
def test_every_scenario_is_recorded_for_every_dialect(kind: str, owner: str) -> None:
    assert named(kind) - set(scenarios(kind, owner)) == NOT_THERE.get((kind, owner), frozenset())


@pytest.mark.parametrize("kind", KINDS)
def test_every_pair_is_in_the_matrix(kind: str) -> None:
    """`python tools/golden.py` writes what is missing."""
    known = KINDS[kind]
    found = {(owner, other) for owner, _, other in cases(kind)}
    assert found >= {(owner, other) for owner in known.owners for other in known.others}


def test_no_part_of_a_case_is_missing() -> None:
    """A case is whole: what is there for one client is there for all."""
    for kind, known in KINDS.items():
        for owner in known.owners:
            for scenario in scenarios(kind, owner):
                assert set(load(kind, owner, scenario).parts) >= set(known.others), f"{kind}/{owner}/{scenario}"


@pytest.mark.parametrize("heard", [b'"HelHel"', b'"He"'])
def test_the_accounting_sees_a_doubled_and_a_lost_byte(heard: bytes) -> None:
    given = load("streams", "openai", "text").given
    assert b'"Hel"' in given
    assert accounted("openai", given, "openai", Seen("", given, complete=True)) == ""
    seen = Seen("", given.replace(b'"Hel"', heard), complete=True)
    assert accounted("openai", given, "openai", seen).startswith("said")


@pytest.mark.parametrize("name", ["cut_after_content", "error_after_content"])
def test_the_accounting_sees_an_invented_success(name: str) -> None:
    given, whole = load("streams", "openai", name).given, load("streams", "openai", "text").given
    assert accounted("openai", given, "openai", Seen("", whole, complete=True)).startswith("terminal")
    assert accounted("openai", given, "openai", Seen("", whole, complete=False)).startswith("terminal")
