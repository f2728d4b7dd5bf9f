"""A session stays where its prompt cache is: on a running proxy, by what providers report."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from configs import write_config
from proxy import RunningProxy, running
from redis_server import RedisServer
from upstream import Upstream
from upstream_script import Spent, Step

from core.schema_state import RedisSettings
from core.state.redis import Redis

MAIN = ("max_output = 4096 }", "price = { input = 3.0, output = 15.0, cache_read = 0.3, cache_write = 3.75 } }")
SPARE = ("spare = {}", "spare = { price = { input = 4.0, output = 20.0 } }")
KEYS = """
[[server.keys]]
name = "laptop"
key = { env = "LAPTOP" }
[[server.keys]]
name = "ci"
key = { env = "CI" }
"""
CONCEPT = "# Clever\nroute:: two, spare\nsynonyms:: be clever\n"
LAPTOP, CI = "secret-of-the-laptop", "secret-of-the-ci"
#: What a provider says of a conversation whose beginning it has in its cache.
CACHED = Spent(input=500, output=200, cache_read=20_000, cache_write=1_000)
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
TOOLS = [{"name": "look", "input_schema": {"type": "object"}}]
RESULT = [
    {"role": "user", "content": "be clever"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a tree"}]},
]


@contextmanager
def proxying(folder: Path, upstream: Upstream, env: dict[str, str], more: str = "") -> Iterator[RunningProxy]:
    folder.mkdir(exist_ok=True)
    config = write_config(folder, upstream.url)
    config.write_text(config.read_text().replace(*MAIN).replace(*SPARE) + KEYS + more)
    (folder / "taxonomy" / "clever.md").write_text(CONCEPT)
    secrets = {"ONE_KEY": "k", "LAPTOP": LAPTOP, "CI": CI}
    with running({**env, **secrets}, "--config", str(config)) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def proxy(
    fake: Upstream, session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    with proxying(tmp_path_factory.mktemp("sessions"), fake, session_env) as started:
        yield started


class Client:
    """One session of a client."""

    def __init__(self, proxy: RunningProxy, upstream: Upstream, session: str, secret: str = LAPTOP) -> None:
        self._proxy, self._upstream = proxy, upstream
        self._headers = {"x-api-key": secret, "x-claude-code-session-id": session}

    def send(
        self, text: Any, path: str = "/v1/messages", headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        # The text is long enough to be worth a cache.
        messages = text if isinstance(text, list) else [{"role": "user", "content": text}]
        body = {"model": "auto", "max_tokens": 100, "system": "word " * 20_000, "messages": messages, **more}
        response = httpx.post(
            f"{self._proxy.url}{path}", json=body, headers={**self._headers, **(headers or {})}, timeout=20
        )
        assert response.status_code == 200, response.text
        return response

    def ask(self, text: Any, usage: Spent = CACHED, **more: Any) -> tuple[str, str]:
        """Model and reason."""
        self._upstream.script(Step(text="ok", usage=usage))
        response = self.send(text, **more)
        return response.headers["x-terraphim-model"], response.headers["x-terraphim-reason"]

    def told(self, text: Any) -> dict[str, Any]:
        """What `/v1/route` says."""
        answer: dict[str, Any] = self.send(text, "/v1/route?dialect=anthropic").json()
        return answer


@pytest.mark.parametrize("stream", [False, True])
def test_a_session_with_a_warm_cache_does_not_follow_a_dearer_concept(
    proxy: RunningProxy, fake: Upstream, stream: bool
) -> None:
    client = Client(proxy, fake, f"warm-{stream}")
    assert client.ask("hello", stream=stream) == ("main", "default")
    told = client.told("be clever")
    assert (told["decision"]["phase"], told["decision"]["reason"]) == ("pattern", "sticky:clever")
    assert [candidate["target"] for candidate in told["decision"]["candidates"]] == ["one,main", "two,spare"]
    [line] = [step for step in told["trace"] if step["phase"] == "sticky"]
    assert line["outcome"] == "stayed"
    assert line["detail"]["cached_tokens"] == min(21_000, told["features"]["token_count"])
    assert line["detail"]["stay_micro_usd"] < line["detail"]["leave_micro_usd"]
    assert client.ask("be clever", stream=stream) == ("main", "sticky:clever")


def test_a_cold_session_follows(proxy: RunningProxy, fake: Upstream) -> None:
    client = Client(proxy, fake, "cold")
    assert client.ask("hello", Spent(input=20_000, output=9)) == ("main", "default")
    assert client.ask("be clever") == ("spare", "concept:clever")


def test_another_key_and_another_session_do_not_see_it(proxy: RunningProxy, fake: Upstream) -> None:
    assert Client(proxy, fake, "mine").ask("hello") == ("main", "default")
    assert Client(proxy, fake, "mine", CI).ask("be clever") == ("spare", "concept:clever")
    assert Client(proxy, fake, "other").ask("be clever") == ("spare", "concept:clever")
    assert Client(proxy, fake, "mine").ask("be clever") == ("main", "sticky:clever")


def test_what_happens_beside_a_session_does_not_move_it(proxy: RunningProxy, fake: Upstream) -> None:
    client = Client(proxy, fake, "beside")
    assert client.ask("hello") == ("main", "default")
    title = {"output_config": {"format": {"type": "json_schema", "schema": {"properties": {"title": {}}}}}, "tools": []}
    assert client.ask("name it", Spent(input=300, output=9), **title) == ("small", "background")
    assert client.ask([{"role": "user", "content": [IMAGE]}]) == ("eyes", "image")
    assert client.ask("be clever", headers={"x-claude-code-agent-id": "a1"}) == ("spare", "concept:clever")
    assert client.ask("be clever", model="two,spare") == ("spare", "explicit")
    assert client.ask("sum it up", headers={"x-claude-code-request-class": "compaction"}) == ("small", "background")
    assert client.ask("be clever") == ("main", "sticky:clever")
    assert client.ask("hello") == ("main", "default")


def test_a_tool_loop_stays_with_whoever_called_the_tools(proxy: RunningProxy, fake: Upstream) -> None:
    client = Client(proxy, fake, "loop")
    nothing = Spent(input=2_000, output=9)
    assert client.ask("hello", nothing) == ("main", "default")
    assert client.ask([{"role": "user", "content": [IMAGE]}], nothing) == ("eyes", "image")
    assert client.ask(RESULT, nothing, tools=TOOLS) == ("eyes", "sticky:clever")
    assert client.ask("hello", nothing) == ("main", "default")


def test_a_target_that_does_not_answer_is_left(upstream: Upstream, clean_env: dict[str, str], tmp_path: Path) -> None:
    with proxying(tmp_path / "p", upstream, clean_env) as proxy:
        client = Client(proxy, upstream, "failing")
        assert client.ask("hello") == ("main", "default")
        upstream.script(Step(status=529), Step(status=529))
        # It is tried first, and the concept's own target stands in; home is where it was.
        assert client.ask("be clever") == ("spare", "sticky:clever")
        assert client.ask("be clever") == ("main", "sticky:clever")


def test_proxies_of_one_redis_share_sessions_and_go_on_without_it(
    upstream: Upstream, clean_env: dict[str, str], tmp_path: Path, redis_server: RedisServer
) -> None:
    shared = f'[redis]\nurl = "{redis_server.url}"\ntimeout_ms = 5000\n'
    with (
        proxying(tmp_path / "a", upstream, clean_env, shared) as a,
        proxying(tmp_path / "b", upstream, clean_env, shared) as b,
    ):
        assert Client(a, upstream, "s").ask("hello") == ("main", "default")
        wait_for_key(redis_server.url, "terraphim:session:laptop:s")
        assert Client(b, upstream, "s").ask("be clever") == ("main", "sticky:clever")
        assert Client(b, upstream, "s", CI).ask("be clever") == ("spare", "concept:clever")
        redis_server.process.kill()
        redis_server.process.wait()
        for proxy in (a, b):
            assert Client(proxy, upstream, "s").ask("be clever") == ("spare", "concept:clever")
            assert Client(proxy, upstream, "s").ask("be clever") == ("spare", "concept:clever")


def wait_for_key(url: str, key: str) -> None:
    """Until what is written after an answer is there."""

    async def wait() -> None:
        redis = Redis()
        redis.use(RedisSettings(url=url, timeout_ms=5000), "")
        async with asyncio.timeout(10):
            while not await redis.command("EXISTS", key):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        await redis.close()

    asyncio.run(wait())
