"""What two workers of one proxy share without a Redis: limits, budgets, answers, sessions, breakers."""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fleet import CONFIG, KEYS, body
from proxy import PATIENCE_S, RunningProxy
from upstream import Upstream
from upstream_script import Spent, Step
from workers import at_each, group, process, until

from core.standing import IN_A_ROW

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SKIPPED: several workers need Linux")

MORE = """
[cache]
targets = ["one,kept"]
"""
#: What a provider says of a conversation whose beginning it has in its prompt cache.
CACHED = Spent(input=500, output=200, cache_read=20_000, cache_write=1_000)
LONG = "word " * 20_000


@pytest.fixture(scope="module")
def two(fake: Upstream, tmp_path_factory: pytest.TempPathFactory, artifacts: Path) -> Iterator[RunningProxy]:
    folder = tmp_path_factory.mktemp("share")
    for name in ("plugins", "taxonomy", "home"):
        (folder / name).mkdir()
    (folder / "taxonomy" / "clever.md").write_text("# Clever\nroute:: two, spare\nsynonyms:: be clever\n")
    config = folder / "config.toml"
    config.write_text(CONFIG.format(url=fake.url, redis="", drain_delay_s=0) + MORE)
    env = {"HOME": str(folder / "home"), "PATH": os.defpath, "LANG": "C.UTF-8", "TERRAPHIM_DISCOVERY": "off"}
    env |= {"XDG_CACHE_HOME": str(artifacts)} | {f"KEY_{name.upper()}": secret for name, secret in KEYS.items()}
    with group(env, config) as proxy:
        yield proxy


def ask(
    client: httpx.Client, *, who: str = "team", session: str = "", path: str = "/v1/messages", **more: Any
) -> httpx.Response:
    headers = {"x-api-key": KEYS[who], "x-claude-code-session-id": session}
    return client.post(path, json=body(**more), headers=headers)


def together(proxy: RunningProxy, count: int, asked: Callable[[httpx.Client], httpx.Response]) -> list[httpx.Response]:
    """What came of so many requests at once, each by a connection of its own."""

    def once(_: int) -> httpx.Response:
        with httpx.Client(base_url=proxy.url, timeout=PATIENCE_S) as client:
            return asked(client)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(once, range(count)))


def test_a_limit_is_one_limit_and_stays_so_when_a_worker_dies(two: RunningProxy) -> None:
    """A tenth of 60 at once, the rest evenly."""
    begun = time.monotonic()
    answers = together(two, 40, lambda client: ask(client, who="limited"))
    lasted = time.monotonic() - begun
    let_through = Counter(answer.status_code for answer in answers)
    assert let_through.keys() == {200, 429}
    assert 6 <= let_through[200] <= 7 + lasted * 54 / 60
    with at_each(two) as clients:
        os.kill(process(two, 1), signal.SIGKILL)
        until(two, lambda told: told["ready"] == 2 and told["restarts"] == 1)
        assert ask(clients[0]).status_code == 200
    answers = together(two, 30, lambda client: ask(client, who="limited"))
    lasted = time.monotonic() - begun
    let_through += Counter(answer.status_code for answer in answers)
    assert let_through[200] <= 7 + lasted * 54 / 60


def test_a_budget_is_one_budget(two: RunningProxy, fake: Upstream) -> None:
    """5000 micro-USD, of which each request takes 765."""
    fake.script(Step(text="dear", usage=Spent(input=5, output=50), times=30))
    answers = together(two, 30, lambda client: ask(client, who="poor", model="one,main"))
    fake.unscript()
    statuses = Counter(answer.status_code for answer in answers)
    assert 5 <= statuses[200] <= 5000 // 765
    assert statuses.keys() == {200, 402}
    with at_each(two) as clients:
        for client in clients.values():
            while (last := ask(client, who="poor", model="one,main", max_tokens=200)).status_code == 200:
                pass  # what was held for others is free again
            assert last.status_code == 402


def test_an_answer_that_one_has_kept_is_given_by_the_other_and_to_nobody_else(
    two: RunningProxy, fake: Upstream
) -> None:
    fake.script(Step(text="kept by one"), Step(text="for another"))
    with at_each(two) as clients:
        first, again = (ask(clients[worker], model="one,kept") for worker in (0, 1))
        assert [each.headers["x-terraphim-cache"] for each in (first, again)] == ["miss", "hit"]
        assert again.content == first.content
        assert "for another" in ask(clients[1], who="other", model="one,kept").text
    fake.unscript()


def test_a_session_that_began_at_one_is_known_to_the_other(two: RunningProxy, fake: Upstream) -> None:
    fake.script(Step(text="ok", usage=CACHED))
    with at_each(two) as clients:

        def reason(session: str, who: str = "team") -> str:
            path = "/v1/route?dialect=anthropic"
            told = ask(clients[1], path=path, text="be clever", session=session, who=who, system=LONG)
            return str(told.json()["decision"]["reason"])

        assert ask(clients[0], session="known", system=LONG).status_code == 200
        assert "sticky:clever" in (reason("known") for _ in range(100))  # it is told a little after the answer
        assert reason("another") == "concept:clever"
        assert reason("known", who="other") == "concept:clever"
    fake.unscript()


def test_a_breaker_that_opens_at_one_is_seen_by_the_other(two: RunningProxy, fake: Upstream) -> None:
    with at_each(two) as clients:
        for _ in range(IN_A_ROW):
            fake.script(Step(status=500, times=2), Step(text="from the fallback"))
            assert ask(clients[0], model="one,ill").headers["x-terraphim-model"] == "spare"
        fake.unscript()
        deadline = time.monotonic() + PATIENCE_S
        while (answer := ask(clients[1], model="one,ill")).headers["x-terraphim-model"] != "spare":
            assert time.monotonic() < deadline
        assert answer.headers["x-terraphim-attempts"] == "1"
