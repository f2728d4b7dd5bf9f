"""A provider that is down: how much harder it is asked, who serves meanwhile, and how soon it serves again.

The provider is a fake one on a real socket, in this process; the proxy is the real program.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from upstream import Upstream
from upstream import running as upstream_running
from upstream_script import Step

from bench import children
from core.resilience import RETRY_FLOOR, RETRY_SHARE
from core.standing import LONGEST_OPEN_S
from prove.section import Section, Stopwatch, tally

CLIENTS = 50
#: A provider that is down answers so late, in seconds: requests pile up as they would.
LATE_S = 0.05
#: A hang bound, in seconds.
PATIENCE_S = 30.0
CONFIG = """\
[providers.down]
dialect = "anthropic"
base_url = "{down}"
allow_private = true
[providers.down.models]
lone = {{}}
[providers.well]
dialect = "anthropic"
base_url = "{well}"
allow_private = true
[routing]
default = "down,chained"
[routing.fallbacks]
"down,chained" = ["well,spare"]
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
{more}
"""


@contextmanager
def scene(folder: Path, more: str = "") -> Iterator[tuple[Upstream, str]]:
    """A fake provider that is down, and the URL of a proxy in front of it and of one that is well."""
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with upstream_running() as down, upstream_running() as well:
        config = folder / "config.toml"
        config.write_text(CONFIG.format(down=down.url, well=well.url, more=more))
        down.script(Step(status=529, message="down", delay=LATE_S, times=10**9))
        with children.proxy("--config", str(config), core=None, home=_home(folder)) as proxy:
            yield down, f"http://127.0.0.1:{proxy.port}"


def _home(folder: Path) -> Path:
    home = folder / "home"
    home.mkdir()
    return home


async def flood(url: str, model: str, count: int) -> list[httpx.Response]:
    """The answers to so many requests from `CLIENTS` clients."""
    left = iter(range(count))
    answers: list[httpx.Response] = []
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}

    async def ask(client: httpx.AsyncClient) -> None:
        for _ in left:
            answers.append(await client.post(f"{url}/v1/messages", json=body))  # noqa: PERF401  # one after another

    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        await asyncio.gather(*(ask(client) for _ in range(CLIENTS)))
    return answers


def judge(answers: list[httpx.Response], wanted: dict[int, str]) -> list[str]:
    """What is wrong with these answers: each status must be wanted, and an error have its type and shape."""
    found = Counter(
        f"{answer.status_code} {_type(answer)}".strip()
        for answer in answers
        if wanted.get(answer.status_code) != _type(answer)
    )
    return [f"{count} answers were {what}" for what, count in sorted(found.items())]


def _type(answer: httpx.Response) -> str:
    try:
        body: Any = answer.json()
        return "" if body["type"] == "message" else str(body["error"]["type"])
    except (ValueError, KeyError, TypeError):
        return "no answer of the dialect"


def section(folder: Path, requests: int) -> Section:
    """A lone provider with and without its breaker, then one with a fallback, and its return."""
    result = Section(f"outage: a provider answers 529, {CLIENTS} clients send {requests} requests")
    with scene(folder / "plain", "[resilience]\nbreaker = false\n") as (down, url):
        load = _flooded(result, "alone, never passed over", down, url, requests)
        bound = requests * (1 + RETRY_SHARE) + RETRY_FLOOR * CLIENTS
        if not requests <= load <= bound:
            result.findings.append(f"{load} attempts for {requests} requests: the budget allows {bound:.0f}")
    with scene(folder / "lone") as (down, url):
        spared = _flooded(result, "alone, with its breaker", down, url, requests)
        if spared > load:
            result.findings.append(f"{spared} attempts with a breaker, {load} without")
    with scene(folder / "chained") as (down, url):
        _chained(result, down, url, requests)
    result.number = f"{load / requests:.2f} attempts a request without a breaker, {spared / requests:.2f} with one"
    return result


def _flooded(result: Section, name: str, down: Upstream, url: str, requests: int) -> int:
    """How often a lone provider was asked; every answer must be an honest error."""
    answers = asyncio.run(flood(url, "down,lone", requests))
    result.counts[name] = f"{len(down.requests)} attempts, answers: {_told(answers)}"
    result.findings += judge(answers, {529: "overloaded_error"})
    return len(down.requests)


def _chained(result: Section, down: Upstream, url: str, requests: int) -> None:
    """Every request is served, the provider that is down is left alone, and it serves again soon after its return."""
    answers = asyncio.run(flood(url, "auto", requests))
    result.counts["with a fallback"] = f"{len(down.requests)} attempts, answers: {_told(answers)}"
    result.findings += judge(answers, {200: ""})
    # Those under way when its breaker opened, and probes.
    if len(down.requests) > 2 * CLIENTS:
        result.findings.append(f"{len(down.requests)} attempts at a provider that was down: it is not left alone")
    down.unscript()
    with Stopwatch() as watch:
        back = _is_back(url)
    result.counts["its return"] = f"serves again {watch.seconds:.1f} s later"
    if not back:
        result.findings.append(f"it does not serve again {watch.seconds:.0f} s after its return")


def _is_back(url: str) -> bool:
    end = time.monotonic() + LONGEST_OPEN_S + PATIENCE_S
    while time.monotonic() < end:
        [answer] = asyncio.run(flood(url, "auto", 1))
        if answer.headers.get("x-terraphim-provider") == "down":
            return True
        time.sleep(0.2)
    return False


def _told(answers: list[httpx.Response]) -> str:
    return tally(Counter(str(answer.status_code) for answer in answers))
