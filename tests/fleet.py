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

KEYS = {"team": "client-key-team-0123456789", "other": "client-key-other-0123456789"}
CONFIG = """\
[server]
drain_delay_s = {drain_delay_s}
[[server.keys]]
name = "team"
key = {{ env = "KEY_TEAM" }}
[[server.keys]]
name = "other"
key = {{ env = "KEY_OTHER" }}
[providers.one]
dialect = "anthropic"
base_url = "{url}"
allow_private = true
[providers.one.models]
main = {{}}
kept = {{}}
[providers.two]
dialect = "openai"
base_url = "{url}"
allow_private = true
[providers.two.models]
spare = {{}}
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
        env |= {"KEY_TEAM": KEYS["team"], "KEY_OTHER": KEYS["other"]}
        arguments = ("--config", str(self.folder / "config.toml"), "--port", str(self.ports[number]))
        return running(env, *arguments)

    def ask(self, where: str = "", *, who: str = "team", **more: Any) -> httpx.Response:
        """One request, through nginx unless `where` says otherwise."""
        headers = {"x-api-key": KEYS[who], "x-claude-code-session-id": more.pop("session", "")}
        return httpx.post(f"{where or self.url}/v1/messages", json=body(**more), headers=headers)


def body(text: str = "hello", **more: Any) -> dict[str, Any]:
    """A request of Anthropic's dialect."""
    return {"model": "auto", "max_tokens": 50, "messages": [{"role": "user", "content": text}]} | more


@contextmanager
def fleet(folder: Path, upstream: str, more: str = "", *, count: int = 3, drain_delay_s: float = 0) -> Iterator[Fleet]:
    """So many proxies; `more` is more configuration."""
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir(parents=True, exist_ok=True)
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
