from typing import Any

import msgspec
import pytest
from facts import features
from msgspec.structs import replace

from core import answer_cache
from core.answer_cache import NEITHER, Kept, Wish, chosen, key_of, packed, unpacked, wish, worth_keeping
from core.exchange import Candidate, Decision, Exchange, Target
from core.messages import Request, Usage

TARGET = Target("one", "main")
EXCHANGE = Exchange("req_1", "/v1/messages", "anthropic", snapshot="a" * 64, client_key="laptop")
KEPT = Kept(b'{"answer": 42}', Usage(input=7, output=3))


def key(**more: Any) -> str:
    """The key of one request, with these parts of it changed."""
    exchange = replace(EXCHANGE, **{name: more.pop(name) for name in list(more) if hasattr(EXCHANGE, name)})
    parts: dict[str, Any] = {"target": TARGET, "query": "", "headers": {}, "body": b"{}"} | more
    return key_of(exchange, parts["target"], parts["query"], parts["headers"], parts["body"])


def test_every_part_of_a_request_makes_another_key() -> None:
    others = [
        key(client_key="ci"),
        key(snapshot="b" * 64),
        key(dialect="openai"),
        key(target=Target("one", "small")),
        key(target=Target("two", "main")),
        key(query="beta=true"),
        key(headers={"anthropic-beta": "x"}),
        key(headers={"anthropic-version": "x"}),
        key(body=b"{} "),
    ]
    assert len({key(), *others}) == len(others) + 1


def test_what_says_nothing_of_the_answer_makes_the_same_key() -> None:
    assert key() == key(request_id="req_2", headers={"user-agent": "x", "authorization": "Bearer y"})


def test_no_two_requests_share_a_key_by_where_one_part_ends() -> None:
    assert key(client_key="laptopa", snapshot="a" * 63) != key()
    assert key(query="q", body=b"body") != key(query="", body=b"qbody")
    assert key(headers={"anthropic-beta": "x"}) != key(headers={"anthropic-version": "x"})


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("", Wish()),
        ("max-age=60", Wish()),
        ("no-store", NEITHER),
        ("No-Cache, No-Store", NEITHER),
        ("no-cache", Wish(read=False)),
        ("private, max-age=0", Wish(read=False)),
    ],
)
def test_the_client_may_want_a_new_answer(said: str, wanted: Wish) -> None:
    assert wish({"cache-control": said}, request(), features()) == wanted


@pytest.mark.parametrize("field", ["background", "container", "mcp_servers", "web_search_options"])
def test_what_a_provider_does_or_remembers_itself_is_asked_anew(field: str) -> None:
    assert wish({}, request(fields=frozenset({"model", field})), features()) == NEITHER


def test_tools_that_the_provider_runs_are_asked_anew() -> None:
    assert wish({}, request(), features(server_web_search=True)) == NEITHER
    assert wish({}, request(), features(provider_tools=("code_execution_20250825",))) == NEITHER
    assert wish({}, request(), features(tools=("read_file",))) == Wish()


def request(**more: Any) -> Request:
    return Request(dialect="anthropic", raw=b"", model="auto", messages=[], **more)


def test_targets_are_chosen_by_globs() -> None:
    assert chosen(TARGET, ("one,*",))
    assert chosen(TARGET, ("two,*", "*,MAIN"))
    assert not chosen(TARGET, ("two,*",))
    assert not chosen(TARGET, ())


def answered(**more: Any) -> Exchange:
    exchange = replace(EXCHANGE, answered_by=TARGET, whole=True, stop_reason="end_turn")
    exchange.decision = Decision("default", "default", (Candidate(TARGET), Candidate(Target("two", "spare"))), "a")
    return replace(exchange, **more)


def test_a_whole_answer_of_the_decided_target_is_kept() -> None:
    assert worth_keeping(answered())
    assert worth_keeping(answered(stop_reason="max_tokens"))


@pytest.mark.parametrize(
    "spoiled",
    [
        {"answered_by": Target("two", "spare")},
        {"answered_by": None},
        {"simulated": True},
        {"error": "api_error: after the first byte"},
        {"stop_reason": "refusal"},
    ],
)
def test_nothing_else_is_kept(spoiled: dict[str, Any]) -> None:
    assert not worth_keeping(answered(**spoiled))


def test_what_is_packed_can_be_read_under_its_own_key_only() -> None:
    assert unpacked("k", packed("k", KEPT)) == KEPT
    assert unpacked("other", packed("k", KEPT)) is None


def test_damage_anywhere_is_a_miss() -> None:
    good = packed("k", KEPT)
    for at in range(len(good)):
        assert unpacked("k", good[:at]) is None
        assert unpacked("k", good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]) is None
    assert unpacked("k", good + b"\0") is None


@pytest.mark.parametrize("odd", [None, 5, "text", [b"a"], b"", b"\0" * 100, {}])
def test_what_is_not_ours_is_a_miss(odd: object) -> None:
    assert unpacked("k", odd) is None


def test_a_sum_over_something_that_is_no_answer_is_a_miss() -> None:
    data = msgspec.msgpack.encode({"body": 5})
    assert unpacked("k", answer_cache._FORM + answer_cache._sum("k", data) + data) is None
