"""Providers, limits, budgets and promises on the admin plane."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from configs import CONFIG, write_config
from proxy import PATIENCE_S, RunningProxy, running
from redis_server import RedisServer
from upstream import Upstream
from upstream_script import Step

from core.shown_providers import host_of

KEY, SECRET = "client-key-0123456789abcdef", "sk-upstream-canary-0123456789"
LIMITS = """
[server]
keys = [{ name = "ci", key = { env = "CI_KEY" }, budget = { day_usd = 1.0, mode = "soft" } }]
[limits]
requests_per_minute = 100
concurrent = 7
[limits.address]
tokens_per_minute = 50000
[limits.targets."one,*"]
requests_per_minute = 30
[budget]
month_usd = 20.0
[providers.three]
dialect = "anthropic"
base_url = "https://api.example:8443/base/path"
api_key = { env = "NOT_THERE" }
models = { far = {} }
"""
PRICE = "main = { images = true, price = { input = 3.0, output = 15.0 }, context_window = 200000,"
BODY: dict[str, Any] = {"model": "auto", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}


def config(folder: Path, url: str, more: str = LIMITS) -> Path:
    path = write_config(folder, url)
    text = CONFIG.format(url=url, one="anthropic", two="openai").replace("main = { images = true,", PRICE)
    path.write_text(text.replace("breaker = false", "breaker = true") + more)
    return path


@pytest.fixture
def env(clean_env: dict[str, str]) -> dict[str, str]:
    return {**clean_env, "ONE_KEY": SECRET, "CI_KEY": KEY}


@pytest.fixture
def proxy(env: dict[str, str], tmp_path: Path, upstream: Upstream) -> Iterator[RunningProxy]:
    with running(env, "--config", str(config(tmp_path, upstream.url))) as started:
        yield started


def get(proxy: RunningProxy, path: str) -> Any:
    answer = httpx.get(f"{proxy.url}/admin/{path}", headers=proxy.admin)
    assert (answer.status_code, SECRET in answer.text, KEY in answer.text) == (200, False, False)
    return answer.json()


def ask(proxy: RunningProxy, **more: Any) -> int:
    headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
    return httpx.post(f"{proxy.url}/v1/messages", json=BODY | more, headers=headers, timeout=PATIENCE_S).status_code


def providers(proxy: RunningProxy) -> dict[str, Any]:
    return {row["name"]: row for row in get(proxy, "providers")["providers"]}


def targets(provider: dict[str, Any]) -> dict[str, Any]:
    return {target["target"]: target for target in provider["targets"]}


def test_providers_show_their_address_keys_and_prices(proxy: RunningProxy, upstream: Upstream) -> None:
    found = providers(proxy)
    assert list(found) == ["one", "three", "two"]
    assert {name: (row["key"], row["keys"], row["simulated"]) for name, row in found.items()} == {
        "one": ("found", 1, False), "two": ("none needed", 0, False), "three": ("missing", 1, False),
    }  # fmt: skip
    assert found["three"]["base_url"] == "api.example:8443"
    assert [row["key_from"] for row in found.values()] == ["ONE_KEY", "NOT_THERE", ""]
    assert found["one"]["base_url"] == host_of(upstream.url)
    assert found["one"]["connections"] == {"acquired": 0, "idle": 0, "waiting": 0}
    main = targets(found["one"])["one,main"]
    assert (main["price"], main["context_window"]) == ({"input": 3_000_000, "output": 15_000_000}, 200_000)
    assert (main["breaker"], main["healthy"], main["p50_ms"], main["requests"]) == ("closed", True, None, 0)


def test_requests_failures_and_money_are_counted_at_targets(proxy: RunningProxy, upstream: Upstream) -> None:
    assert ask(proxy) == 200
    upstream.script(Step(status=500, times=2))
    assert ask(proxy) == 200
    found = providers(proxy)
    main, spare = targets(found["one"])["one,main"], targets(found["two"])["two,spare"]
    assert (main["requests"], main["errors"], spare["requests"], spare["errors"]) == (2, 1, 2, 1)
    assert main["spend_micro_usd"] == found["one"]["spend"]["hour"] > 0
    assert found["one"]["connections"]["idle"] >= 1
    assert found["two"]["spend"]["hour"] == 0


def test_what_was_spent_today_is_what_the_records_say(env: dict[str, str], tmp_path: Path, upstream: Upstream) -> None:
    path = config(tmp_path, upstream.url)
    with running(env, "--config", str(path)) as proxy:
        assert ask(proxy) == 200
    with running(env, "--config", str(path)) as proxy:
        found = providers(proxy)["one"]
        assert found["spend"]["today"] > 0
        assert found["spend"]["hour"] == 0, "that was another process"


def test_a_key_that_was_refused_rests(proxy: RunningProxy, upstream: Upstream) -> None:
    upstream.script(Step(status=401))
    assert ask(proxy) == 200
    one = providers(proxy)["one"]
    assert (one["resting"], targets(one)["one,main"]["healthy"]) == (1, False)


def test_what_is_left_of_limits_is_shown_and_looking_takes_nothing(proxy: RunningProxy) -> None:
    assert [ask(proxy) for _ in range(3)] == [200] * 3
    for _ in range(5):
        found = get(proxy, "limits")["limits"]
    rows = {(row["scope"], row["name"], row["limit"]): row for row in found}
    assert rows.keys() == {
        ("key", "ci", "requests"), ("key", "ci", "concurrent"), ("address", "127.0.0.1", "tokens"),
        ("target", "one,*", "requests"),
    }  # fmt: skip
    assert {key[2]: (row["of"], row["per"]) for key, row in rows.items() if key[0] == "key"} == {
        "requests": (100, "minute"), "concurrent": (7, "at once"),
    }  # fmt: skip
    assert 97 <= rows["key", "ci", "requests"]["left"] < 100
    assert 27 <= rows["target", "one,*", "requests"]["left"] < 30
    assert rows["key", "ci", "concurrent"]["left"] == 7
    assert rows["key", "ci", "requests"]["reset_ms"] > 0
    assert rows["key", "ci", "requests"]["setting"] == "limits.requests_per_minute"


def test_budgets_show_what_is_spent(proxy: RunningProxy) -> None:
    assert ask(proxy) == 200
    day, month = get(proxy, "limits")["budgets"]
    assert (day["scope"], day["name"], day["limit_micro_usd"], day["soft"]) == ("key", "ci", 1_000_000, True)
    assert month["limit_micro_usd"] == 20_000_000
    assert day["spent_micro_usd"] == month["spent_micro_usd"] > 0
    assert (day["reserved_micro_usd"], day["setting"]) == (0, "server.keys[].budget.day_usd")
    assert get(proxy, "limits")["unpriced"] == 0
    assert ask(proxy, model="two,spare") == 200
    assert get(proxy, "limits")["unpriced"] == 1


def test_limits_that_redis_counts_are_looked_up_there(
    env: dict[str, str], tmp_path: Path, upstream: Upstream, redis_server: RedisServer
) -> None:
    path = config(tmp_path, upstream.url, LIMITS + f'[redis]\nurl = "{redis_server.url}"\n')
    with running(env, "--config", str(path)) as one, running(env, "--config", str(path)) as other:
        assert [ask(one) for _ in range(3)] == [200] * 3
        found = {(row["scope"], row["limit"]): row["left"] for row in get(other, "limits")["limits"]}
        assert 97 <= found["key", "requests"] < 100
        assert found["key", "concurrent"] == 7
        assert ("address", "tokens") not in found
        redis_server.process.kill()
        redis_server.process.wait()
        assert {row["scope"] for row in get(other, "limits")["limits"]} >= {"key", "target"}


def test_nothing_is_limited_without_limits(embedded: RunningProxy) -> None:
    found = httpx.get(f"{embedded.url}/admin/limits", headers=embedded.admin).json()
    assert (found["limits"], found["budgets"]) == ([], [])
    rows = httpx.get(f"{embedded.url}/admin/providers", headers=embedded.admin).json()["providers"]
    assert all(row["simulated"] for row in rows)


def test_promises_are_shown_with_what_was_counted(proxy: RunningProxy) -> None:
    assert ask(proxy) == 200
    found = {row["name"]: row for row in get(proxy, "promises")["promises"]}
    assert all(row["text"] and row["proof"].startswith("python -m prove --only") for row in found.values())
    counted = {each["metric"]: each for row in found.values() for each in row["counters"]}
    assert counted["terraphim_decisions_total"]["value"] == 1
    assert counted['terraphim_records_total{outcome="lost"}'] == {
        "metric": 'terraphim_records_total{outcome="lost"}', "value": 0, "must": "zero", "ok": True,
    }  # fmt: skip
    assert all(each["ok"] for each in counted.values())
