"""What requests used and cost, from a real provider's answer to the `usage` command, beside the running proxy."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from command import Cli
from proxy import RunningProxy, running
from scraped import total
from upstream import Upstream
from upstream_script import Spent, Step

CONFIG = """\
[providers.one]
dialect = "anthropic"
base_url = "{url}/one"
allow_private = true
[providers.one.models.dear]
price = {{ input = 3, output = 15, cache_read = 0.3, cache_write = 3.75 }}
[providers.one.models.free]
price = {{ input = 0, output = 0 }}
[providers.two]
dialect = "openai"
base_url = "{url}/two"
allow_private = true
[providers.two.models.cheap]
price = {{ input = 1, output = 2 }}
[providers.two.models.unknown]
[routing]
default = "one,dear"
fallback = ["two,cheap"]
[resilience]
attempts = 1
breaker = false
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
{more}
"""
SPENT = Step(text="hi", usage=Spent(input=100, output=10, cache_read=1000, cache_write=200))
#: Of that at `one,dear`: 300 + 150 + 300 + 750.
COST = 1500


@contextmanager
def serving(folder: Path, env: dict[str, str], upstream: Upstream, more: str = "") -> Iterator[RunningProxy]:
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "config.toml").write_text(CONFIG.format(url=upstream.url, more=more))
    with running(env, "--config", str(folder / "config.toml")) as proxy:
        yield proxy


def ask(proxy: RunningProxy, model: str = "auto", path: str = "/v1/messages", **more: Any) -> httpx.Response:
    headers = more.pop("headers", {})
    body = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}], **more}
    return httpx.post(proxy.url + path, json=body, headers=headers)


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 10
    while not (found := condition()):
        assert time.monotonic() < deadline, "a hang"
        time.sleep(0.02)
    return found


class Told:
    """The `usage` command of the proxy's user."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self.cli, self.config = Cli(env, folder), folder / "config.toml"

    def lines(self, by: str, requests: int) -> dict[str, Any]:
        """By name, as soon as so many requests are recorded."""

        def recorded() -> Any:
            _, found = self.cli.json("usage", "--config", self.config, "--by", by)
            return found if found["total"]["requests"] >= requests else None

        found = until(recorded)
        assert found["total"]["requests"] == requests
        return {line["name"]: line for line in found["lines"]}


@pytest.fixture
def told(clean_env: dict[str, str], tmp_path: Path) -> Told:
    return Told(clean_env, tmp_path)


def test_every_request_is_recorded_once_with_its_cost(
    tmp_path: Path, clean_env: dict[str, str], upstream: Upstream, told: Told
) -> None:
    with serving(tmp_path, clean_env, upstream) as proxy:
        upstream.script(SPENT, SPENT, SPENT, Step(text="hi", usage=Spent(input=7, output=9)), SPENT)
        assert ask(proxy).status_code == 200
        assert ask(proxy, stream=True).status_code == 200
        assert ask(proxy, "one,free").status_code == 200
        assert ask(proxy, "two,unknown", "/v1/chat/completions", stream=True).status_code == 200
        assert ask(proxy, "two,cheap").status_code == 200
        assert ask(proxy, "two,none").status_code == 404  # decided: nobody
        assert ask(proxy, path="/v1/messages/count_tokens").status_code == 200
        assert ask(proxy, path="/v1/route").status_code == 200
        assert ask(proxy, messages="none").status_code == 400
        found = told.lines("model", 6)
        assert found["one,dear"] | {"requests": 2, "cost_micro_usd": 2 * COST, "output": 20} == found["one,dear"]
        assert (found["one,free"]["cost_micro_usd"], found["one,free"]["unpriced"]) == (0, 0)
        assert (found["two,unknown"]["cost_micro_usd"], found["two,unknown"]["unpriced"]) == (0, 1)
        assert (found["two,unknown"]["input"], found["two,unknown"]["output"]) == (7, 9)
        assert found["two,cheap"]["cost_micro_usd"] == 1000 + 100 + 200 + 20
        assert found[""]["failed"] == 1
        metrics = httpx.get(f"{proxy.url}/metrics").text
        assert total(metrics, "terraphim_records_total", outcome="written") == 6
        assert total(metrics, "terraphim_cost_micro_usd_total") == 2 * COST + 1320
        assert httpx.get(f"{proxy.url}/health").json()["records"] == "ok"
        costs = [line["cost_micro_usd"] for line in proxy.log(event="request", endpoint="/v1/messages", status=200)]
        assert costs == [COST, COST, 0, 1320]


def test_failed_attempts_are_paid_for_at_their_own_price(
    tmp_path: Path, clean_env: dict[str, str], upstream: Upstream, told: Told
) -> None:
    with serving(tmp_path, clean_env, upstream) as proxy:
        lost = Step(usage=Spent(input=100, output=1), fault="midstream_error", after=0)
        upstream.script(lost, Step(text="hi", usage=Spent(input=10, output=10)))
        answer = ask(proxy, stream=True)
        assert answer.headers["x-terraphim-provider"] == "two"
        [line] = told.lines("model", 1).values()
        assert line["cost_micro_usd"] == 300 + 15 + 10 + 20
        assert line["input"] == 110


def test_who_leaves_early_is_billed_what_is_certain(
    tmp_path: Path, clean_env: dict[str, str], upstream: Upstream, told: Told
) -> None:
    with serving(tmp_path, clean_env, upstream) as proxy:
        upstream.script(Step(text="word " * 400, chunk=5, chunk_delay=0.01))
        body = {"model": "two,cheap", "max_tokens": 50, "stream": True, "messages": [{"role": "user", "content": "x"}]}
        with httpx.stream("POST", f"{proxy.url}/v1/chat/completions", json=body) as answer:
            for seen, line in enumerate(answer.iter_lines()):
                if seen > 20 and json.loads(line.removeprefix("data: ") or "{}"):
                    break
        [line] = told.lines("model", 1).values()
        assert (line["failed"], line["estimated"]) == (1, 1)
        assert line["input"] > 0
        assert 5 < line["output"] < 400
        assert line["cost_micro_usd"] == line["input"] + 2 * line["output"]


def test_what_cannot_be_recorded_keeps_nobody_from_an_answer(
    tmp_path: Path, clean_env: dict[str, str], upstream: Upstream, told: Told
) -> None:
    file = tmp_path / "kept" / "mine.db"
    file.parent.mkdir()
    file.write_bytes(b"damaged " * 1000)
    with serving(tmp_path, clean_env, upstream, '[records]\nfile = "kept/mine.db"') as proxy:
        assert ask(proxy).status_code == 200
        assert proxy.wait_for(event="records_failing")["problem"] == "file is not a database"
        assert httpx.get(f"{proxy.url}/health").json()["records"] == "file is not a database"
        assert ask(proxy).status_code == 200
        file.rename(tmp_path / "kept" / "theirs.db")
        assert proxy.wait_for(event="records_recovered")["lost"] == 0
        assert told.lines("model", 2)["one,dear"]["requests"] == 2
        assert len(proxy.log(event="records_failing")) == 1


def test_a_stop_writes_what_waits(tmp_path: Path, clean_env: dict[str, str], upstream: Upstream, told: Told) -> None:
    with serving(tmp_path, clean_env, upstream) as proxy:
        assert [ask(proxy).status_code for _ in range(5)] == [200] * 5
    assert told.lines("key", 5)[""]["requests"] == 5


BUDGET = """
[[server.keys]]
name = "ci"
key = { env = "CI_KEY" }
budget = { day_usd = 0.002 }
[[server.keys]]
name = "soft"
key = { env = "SOFT_KEY" }
budget = { day_usd = 0.001, mode = "soft" }
"""
KEYS = {"CI_KEY": "client-key-of-ci", "SOFT_KEY": "client-key-of-soft"}
CI, SOFT = ({"x-api-key": key} for key in KEYS.values())


def test_a_spent_budget_is_refused_by_the_door_and_after_a_restart(
    tmp_path: Path, clean_env: dict[str, str], upstream: Upstream, told: Told
) -> None:
    env = clean_env | KEYS
    told.cli.env = env
    with serving(tmp_path, env, upstream, BUDGET) as proxy:
        upstream.script(SPENT)
        first = ask(proxy, headers=CI)
        assert (first.status_code, first.headers["x-terraphim-budget-left"]) == (200, "0.002000")
        tight = ask(proxy, headers=CI)
        assert (tight.status_code, tight.json()["error"]["type"]) == (402, "billing_error")
        assert "0.001500 of 0.002000 US dollars are spent" in tight.json()["error"]["message"]
        assert (tight.headers["x-should-retry"], tight.headers["x-terraphim-budget-left"]) == ("false", "0.000500")
        other = ask(proxy, path="/v1/chat/completions", headers=CI)
        assert (other.status_code, other.json()["error"]["code"]) == (429, "insufficient_quota")
        assert ask(proxy, "one,free", headers=CI).status_code == 200
        shown = ask(proxy, path="/v1/route", headers=CI).json()
        assert {target["budget_left"] for target in shown["targets"].values()} == {500}
        upstream.script(SPENT)
        assert ask(proxy, "two,cheap", headers=CI, max_tokens=10).status_code == 200
        assert ask(proxy, "one,free", headers=CI).status_code == 402, "nothing is left"
        assert proxy.wait_for(event="budget_spent")["client"] == "ci"
        told.lines("key", 5)  # who was refused at the door has no row
    with serving(tmp_path, env, upstream, BUDGET) as proxy:
        again = ask(proxy, "one,free", headers=CI)
        assert (again.status_code, "2026" in again.json()["error"]["message"]) == (402, True)


def test_a_soft_budget_is_only_told(tmp_path: Path, clean_env: dict[str, str], upstream: Upstream, told: Told) -> None:
    with serving(tmp_path, clean_env | KEYS, upstream, BUDGET) as proxy:
        upstream.script(SPENT, SPENT)
        left = [ask(proxy, headers=SOFT).headers["x-terraphim-budget-left"] for _ in range(3)]
        assert left == ["0.001000", "-0.000500", "-0.002000"]
        assert proxy.wait_for(event="budget_spent")["hard"] is False
        assert len(proxy.log(event="budget_spent")) == 1
