"""Three proxies on one Redis behind nginx: `with fleet(folder, upstream_url) as three`."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from nginx_server import nginx_running
from proxy import RunningProxy, running
from redis_server import RedisServer, free_port, redis_running

KEYS = {name: f"client-key-{name}-0123456789" for name in ("team", "other", "limited", "poor")}
CONFIG = """\
[server]
drain_delay_s = {drain_delay_s}
trusted_proxies = ["127.0.0.1"]
[[server.keys]]
name = "team"
key = {{ env = "KEY_TEAM" }}
[[server.keys]]
name = "other"
key = {{ env = "KEY_OTHER" }}
[[server.keys]]
name = "limited"
key = {{ env = "KEY_LIMITED" }}
limits = {{ requests_per_minute = 60 }}
[[server.keys]]
name = "poor"
key = {{ env = "KEY_POOR" }}
budget = {{ day_usd = 0.005 }}
[providers.one]
dialect = "anthropic"
base_url = "{url}"
allow_private = true
[providers.one.models]
main = {{ price = {{ input = 3.0, output = 15.0, cache_read = 0.3, cache_write = 3.75 }} }}
kept = {{}}
ill = {{}}
[providers.two]
dialect = "openai"
base_url = "{url}"
allow_private = true
[providers.two.models]
spare = {{ price = {{ input = 4.0, output = 20.0 }} }}
[routing]
default = "one,main"
fallback = ["two,spare"]
[redis]
url = "{redis}"
timeout_ms = 1000
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
"""


@dataclass
class Fleet:
    """What runs."""

    folder: Path
    redis: RedisServer
    ports: Sequence[int]
    url: str = ""
    proxies: list[RunningProxy] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)

    def started(self, number: int) -> AbstractContextManager[RunningProxy]:
        """One more process on the port of this number, with a HOME of its own."""
        home = self.folder / f"home-{number}"
        home.mkdir(exist_ok=True)
        env = {"HOME": str(home), "PATH": os.defpath, "LANG": "C.UTF-8", "TERRAPHIM_DISCOVERY": "off"}
        env |= {f"KEY_{name.upper()}": secret for name, secret in KEYS.items()}
        arguments = ("--config", str(self.folder / "config.toml"), "--port", str(self.ports[number]))
        return running(env, *arguments)

    def ask(self, where: str = "", *, who: str = "team", path: str = "/v1/messages", **more: Any) -> httpx.Response:
        """One request, through nginx unless `where` says otherwise."""
        headers = {"x-api-key": KEYS[who], "x-claude-code-session-id": more.pop("session", "")}
        return httpx.post(f"{where or self.url}{path}", json=body(**more), headers=headers)


def body(text: str = "hello", **more: Any) -> dict[str, Any]:
    """A request of Anthropic's dialect."""
    return {"model": "auto", "max_tokens": 50, "messages": [{"role": "user", "content": text}]} | more


@contextmanager
def fleet(folder: Path, upstream: str, more: str = "", *, count: int = 3, drain_delay_s: float = 0) -> Iterator[Fleet]:
    """So many proxies; `more` is more configuration."""
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "taxonomy" / "clever.md").write_text("# Clever\nroute:: two, spare\nsynonyms:: be clever\n")
    with ExitStack() as stack:
        redis = stack.enter_context(redis_running(folder))
        config = CONFIG.format(url=upstream, redis=redis.url, drain_delay_s=drain_delay_s)
        (folder / "config.toml").write_text(config + more)
        made = Fleet(folder, redis, [free_port() for _ in range(count)], stack=stack)
        with ThreadPoolExecutor(count) as pool:  # each takes a while
            starting = [made.started(number) for number in range(count)]
            made.proxies = list(pool.map(stack.enter_context, starting))
        made.url = stack.enter_context(nginx_running(folder, made.ports))
        yield made
