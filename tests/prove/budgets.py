"""Promise: requests at the same time never spend more than a hard budget, whatever they cost in the end.

The provider says what each answer used, so what was really spent is known from what it answered: as much as was
announced (`max_tokens`), or less. In the end the proxy must say the same, to the micro-USD.
"""

import asyncio
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx
from redis_server import redis_running
from upstream import Upstream
from upstream import running as upstream_running
from upstream_script import Spent, Step

from bench import children
from core.budgets import dollars
from prove.scene import PATIENCE_S
from prove.section import Section, tally

#: Micro-USD of a key's day; a request costs up to about a twentieth of it.
BUDGET: Final = 20_000
#: What the provider says that it read, in tokens: not more than the proxy counts; the longest answer; their prices.
READ: Final = 5
MOST: Final = 100
READ_PRICE, PRICE = 2, 10
#: What a request holds is less than this.
HOLD: Final = PRICE * MOST + 200
CONFIG: Final = """\
[[server.keys]]
name = "ci"
key = {{ env = "CI_KEY" }}
budget = {{ day_usd = {usd} }}
[providers.one]
dialect = "anthropic"
base_url = "{url}"
allow_private = true
[providers.one.models.main]
price = {{ input = 2, output = 10 }}
[providers.two]
dialect = "openai"
base_url = "{url}"
allow_private = true
[providers.two.models.spare]
price = {{ input = 2, output = 10 }}
[routing]
default = "one,main"
fallback = ["two,spare"]
[resilience]
breaker = false
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
{more}
"""
KEY: Final = "client-key-of-the-proof"


#: What a client may be told: that it was answered, that there is no room, or that both providers are busy.
WANTED: Final = {
    200: {""},
    402: {"billing_error"},
    429: {"insufficient_quota"},
    529: {"overloaded_error"},
    503: {"overloaded_error"},
}


def steps(count: int, seed: int) -> list[Step]:
    """Answers that use all that was announced, or less; some are refused, and the next provider is asked."""
    rng = random.Random(seed)  # noqa: S311 - reproducible on purpose

    def one() -> Step:
        late = rng.random() * 0.05
        if rng.random() < 0.15:
            return Step(status=529, message="busy", delay=late)
        output = rng.choice((MOST, rng.randint(1, MOST)))
        return Step(text="word " * 9, usage=Spent(input=READ, output=output), delay=late)

    return [one() for _ in range(count)]


def spent(answered: Sequence[Step]) -> int:
    """Micro-USD that the provider charges for these."""
    good = [step.usage for step in answered if not step.status]
    return sum(READ_PRICE * (usage.input or 0) + PRICE * (usage.output or 0) for usage in good)


@contextmanager
def proxies(folder: Path, upstream: Upstream, count: int, more: str = "") -> Iterator[list[str]]:
    """URLs of so many proxies with one configuration."""
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir(parents=True)
    (folder / "config.toml").write_text(CONFIG.format(url=upstream.url, usd=BUDGET / 10**6, more=more))
    with ExitStack() as stack:
        urls = []
        for number in range(count):
            home = folder / f"home-{number}"
            home.mkdir()
            arguments = ("--config", str(folder / "config.toml"))
            server = stack.enter_context(children.proxy(*arguments, core=None, home=home, variables={"CI_KEY": KEY}))
            urls.append(f"http://127.0.0.1:{server.port}")
        yield urls


async def ask(client: httpx.AsyncClient, url: str, number: int) -> httpx.Response:
    """A request of one of both APIs, streamed or not."""
    path = ("/v1/messages", "/v1/chat/completions")[number % 2]
    body = {"model": "auto", "max_tokens": MOST, "messages": [{"role": "user", "content": "hello"}]}
    streamed = {"stream": True} if number % 3 == 0 else {}
    return await client.post(url + path, json=body | streamed, headers={"x-api-key": KEY})


async def flood(urls: Sequence[str], clients: int) -> list[httpx.Response]:
    """So many clients at once, three requests each."""
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(timeout=PATIENCE_S, limits=limits) as client:

        async def one(number: int) -> list[httpx.Response]:
            return [await ask(client, urls[number % len(urls)], number + turn) for turn in range(3)]

        return [answer for answers in await asyncio.gather(*map(one, range(clients))) for answer in answers]


def judge(answers: Sequence[httpx.Response], charged: int, left: int | None) -> list[str]:
    """What is wrong. `left`: what the proxy says is left in the end, when nobody gets in any more; None if it never
    says the same as what was charged.
    """
    strange = Counter(f"{answer.status_code} {_type(answer)}" for answer in answers if not _wanted(answer))
    findings = [f"{count} answers were {what}" for what, count in strange.items()]
    if charged > BUDGET:
        findings.append(f"{charged} of {BUDGET} micro-USD were spent")
    if charged <= BUDGET - HOLD:
        findings.append(f"only {charged} of {BUDGET} micro-USD were spent: there was room for more")
    if left is None:
        findings.append("what the proxy counted is not what was charged")
    return findings


def _wanted(answer: httpx.Response) -> bool:
    return _type(answer) in WANTED.get(answer.status_code, set())


def _type(answer: httpx.Response) -> str:
    if answer.status_code == 200:
        return ""
    try:
        return str(answer.json()["error"]["type"])
    except (ValueError, KeyError, TypeError):
        return "no error of the dialect"


def settled(urls: Sequence[str], upstream: Upstream, served: Sequence[Step]) -> int | None:
    """What each proxy says is left, once all say what was charged; None if they never do. Asks until nobody gets in."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        answers = [asyncio.run(_alone(url)) for url in urls]
        if all(answer.status_code == 402 for answer in answers):
            wanted = BUDGET - spent(served[: len(upstream.requests)])
            if {answer.headers["x-terraphim-budget-left"] for answer in answers} == {dollars(wanted)}:
                return wanted
        time.sleep(0.2)
    return None


async def _alone(url: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        return await ask(client, url, 2)


def section(folder: Path, clients: int) -> Section:
    """One proxy by itself, and two that share a Redis."""
    result = Section(f"budgets: {clients} clients at once, three requests each, a hard budget for about thirty of them")
    numbers = [_tried(result, folder / "alone", "one proxy", 1, clients)]
    if shutil.which("redis-server"):
        (folder / "redis").mkdir()
        with redis_running(folder / "redis") as server:
            more = f'[redis]\nurl = "{server.url}"\ntimeout_ms = 5000\n'
            numbers.append(_tried(result, folder / "shared", "two proxies, one Redis", 2, clients, more))
    else:
        result.skipped = "two proxies: redis-server is not installed"
    result.number = f"{' and '.join(map(str, numbers))} of {BUDGET} micro-USD spent"
    return result


def _tried(result: Section, folder: Path, name: str, count: int, clients: int, more: str = "") -> int:
    """What was spent in the end."""
    with upstream_running() as upstream, proxies(folder, upstream, count, more) as urls:
        served = steps(8 * clients, clients + count)
        upstream.script(*served)
        answers = asyncio.run(flood(urls, clients))
        left = settled(urls, upstream, served)
        charged = spent(served[: len(upstream.requests)])
    result.counts[name] = (
        f"{charged} of {BUDGET} micro-USD: {tally(Counter(str(each.status_code) for each in answers))}"
    )
    result.findings += [f"{name}: {finding}" for finding in judge(answers, charged, left)]
    return charged
