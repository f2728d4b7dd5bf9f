from typing import Any

import pytest
from facts import settings

from core.exchange import Candidate, Target
from core.limit_plan import DOOR, Plan, asks, fits, tokens
from core.schema import ServerKey, Settings
from core.schema_state import LimitSettings

TARGET = Target("one", "Main/x")


def configured(limits: dict[str, Any], *keys: dict[str, Any]) -> Settings:
    plain = settings()
    server = plain.server.model_copy(update={"keys": tuple(map(ServerKey.model_validate, keys))})
    return plain.model_copy(update={"limits": LimitSettings.model_validate(limits), "server": server})


def key(name: str, **limits: int) -> dict[str, Any]:
    return {"name": name, "key": {"env": "K"}, "limits": limits}


def told(plan: Plan, **who: Any) -> list[tuple[str, int, str]]:
    holders = plan.holders(who.get("key"), who.get("address", ""))
    everything = {**DOOR, "tokens": 3, "input_tokens": 2, "output_tokens": 1}
    return [(ask.name, ask.limit, ask.setting) for ask in asks(holders, everything)]


def test_without_limits_there_is_nothing_to_do() -> None:
    plan = Plan(settings())
    assert not plan.anything
    assert told(plan, address="1.2.3.4") == []


def test_zero_is_no_limit() -> None:
    assert not Plan(configured({"requests_per_minute": 0, "address": {"concurrent": 0}})).anything


def test_a_keys_own_limits_go_first_field_by_field() -> None:
    keys = [key("laptop", requests_per_minute=5, concurrent=0), key("phone")]
    config = configured({"requests_per_minute": 600, "tokens_per_minute": 1000, "concurrent": 9}, *keys)
    plan = Plan(config)
    laptop, phone = config.server.keys
    assert told(plan, key=laptop) == [
        ("key:laptop:requests", 5, 'server.keys["laptop"].limits.requests_per_minute'),
        ("key:laptop:tokens", 1000, "limits.tokens_per_minute"),
    ]
    assert [ask[:2] for ask in told(plan, key=phone)] == [
        ("key:phone:requests", 600),
        ("key:phone:tokens", 1000),
        ("key:phone:concurrent", 9),
    ]


def test_without_keys_all_clients_are_one() -> None:
    plan = Plan(configured({"requests_per_minute": 600, "address": {"output_tokens_per_minute": 7}}))
    assert told(plan, address="1.2.3.4") == [
        ("key::requests", 600, "limits.requests_per_minute"),
        ("address:1.2.3.4:output_tokens", 7, "limits.address.output_tokens_per_minute"),
    ]


FITTING = ("one", "on*", "one,*", "one,main/x", "ONE,Main/*", "*,*x")
OTHERS = ("main/x", "one,main", "two,*", "*x", "one*,main")


def test_an_entry_is_a_provider_or_a_glob_over_targets() -> None:
    assert [pattern for pattern in (*FITTING, *OTHERS) if fits(pattern, TARGET)] == list(FITTING)


def test_all_entries_that_fit_a_target_count() -> None:
    plan = Plan(configured({"targets": {"one": {"concurrent": 3}, "one,main*": {"tokens_per_minute": 9}, "two": {}}}))
    found = asks(plan.of_target(TARGET), DOOR | {"tokens": 5})
    assert [(ask.name, ask.limit, ask.units) for ask in found] == [
        ("target:one:concurrent", 3, 1),
        ("target:one,main*:tokens", 9, 5),
    ]
    assert plan.of_target(Target("two", "x")) == ()
    assert plan.anything


def test_limits_are_shared_where_redis_is() -> None:
    config = configured({"requests_per_minute": 1})
    assert not Plan(config).shared
    there = config.redis.model_copy(update={"url": "redis://127.0.0.1"})
    assert Plan(config.model_copy(update={"redis": there})).shared
    here = config.limits.model_copy(update={"store": "memory"})
    assert not Plan(config.model_copy(update={"redis": there, "limits": here})).shared


@pytest.mark.parametrize(
    ("candidate", "asked", "most", "output"),
    [
        (Candidate(TARGET, max_tokens=100), 500, 100, 100),
        (Candidate(TARGET), 500, 1000, 500),
        (Candidate(TARGET), None, 128_000, 4096),
        (Candidate(TARGET), None, 1000, 1000),
        (Candidate(TARGET), None, None, 4096),
    ],
)
def test_the_longest_answer_is_reserved(candidate: Candidate, asked: int | None, most: int | None, output: int) -> None:
    assert tokens(candidate, 10, asked, most) == {
        "tokens": 10 + output, "input_tokens": 10, "output_tokens": output
    }  # fmt: skip


def test_the_request_counts_as_its_target_counts_it() -> None:
    assert tokens(Candidate(TARGET, tokens=12), 10, 1, None)["input_tokens"] == 12
