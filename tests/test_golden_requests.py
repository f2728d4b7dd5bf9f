import msgspec
import pytest
from golden_cases import Case, folders, load, names

from core.dialects import CLIENTS, PROVIDERS
from core.errors import BadRequest
from core.exchange import Candidate, Target


def candidate(case: Case) -> Candidate:
    limit = case.options.get("max_tokens")
    return Candidate(
        Target("p", case.options.get("model", "target-model")),
        max_tokens=int(limit) if limit else None,
        drop_thinking="drop_thinking" in case.options,
        copy="copy" in case.options,
        thinking_mode=case.options.get("thinking_mode", ""),
        without=tuple(filter(None, case.options.get("without", "").split(","))),
        context_window=int(case.options["window"]) if "window" in case.options else None,
        thinks=True if "thinks" in case.options else None,
    )


ENCODE = [(pair, name) for pair in folders("encode") for name in names(f"encode/{pair}")]


@pytest.mark.parametrize(("pair", "name"), ENCODE)
def test_a_request_in_another_dialect(pair: str, name: str) -> None:
    source, target = pair.split("_to_")
    case = load(f"encode/{pair}", name)
    request = CLIENTS[source].decode_request(case.given)
    request.tokens = int(case.options.get("tokens", "0"))
    body = PROVIDERS[target].encode_request(request, candidate(case))
    assert msgspec.json.decode(body) == msgspec.json.decode(case.expected)


@pytest.mark.parametrize("dialect", folders("splice"))
def test_a_splice_changes_only_what_must_change(dialect: str) -> None:
    for name in names(f"splice/{dialect}"):
        case = load(f"splice/{dialect}", name)
        request = CLIENTS[dialect].decode_request(case.given)
        assert CLIENTS[dialect].splice_request(request, candidate(case)) == case.expected, name


@pytest.mark.parametrize("dialect", folders("refused"))
def test_what_is_wrong_is_named_with_its_path(dialect: str) -> None:
    for name in names(f"refused/{dialect}"):
        case = load(f"refused/{dialect}", name)
        with pytest.raises(BadRequest) as refused:
            CLIENTS[dialect].decode_request(case.given.removesuffix(b"\n"))
        assert refused.value.message == case.expected.decode().strip(), name


@pytest.mark.parametrize("pair", folders("not_encodable"))
def test_what_cannot_be_passed_on_is_refused(pair: str) -> None:
    source, target = pair.split("_to_")
    for name in names(f"not_encodable/{pair}"):
        case = load(f"not_encodable/{pair}", name)
        request = CLIENTS[source].decode_request(case.given)
        with pytest.raises(BadRequest) as refused:
            PROVIDERS[target].encode_request(request, candidate(case))
        assert refused.value.message == case.expected.decode().strip(), name
