"""Three proxies on one Redis behind nginx, as processes: what they share, and what the loss of one costs the others."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fleet import KEYS, Fleet, body, fleet
from redis_server import PATIENCE_S, redis_running
from upstream import Upstream
from upstream import running as upstream_running
from upstream_script import Spent, Step

from core.standing import IN_A_ROW

MORE = """\
[cache]
targets = ["one,kept"]
[limits.address]
concurrent = 40
"""
#: What a provider says of a conversation whose beginning it has in its prompt cache.
CACHED = Spent(input=500, output=200, cache_read=20_000, cache_write=1_000)
LONG = "word " * 20_000


@pytest.fixture(scope="module")
def fake() -> Iterator[Upstream]:
    with upstream_running() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def three(fake: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet that tests share: none of them stops a part of it."""
    with fleet(tmp_path_factory.mktemp("fleet"), fake.url, MORE) as made:
        yield made


def together(count: int, ask: Any) -> list[Any]:
    """What came of so many calls at once."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: ask(), range(count)))


def metric(url: str, name: str) -> float:
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def test_requests_are_spread(three: Fleet) -> None:
    answers = together(30, three.ask)
    assert {answer.status_code for answer in answers} == {200}
    ids = {answer.headers["x-terraphim-request-id"] for answer in answers}
    deadline = time.monotonic() + PATIENCE_S
    served: list[set[str]] = []
    while not ids <= set().union(*served) and time.monotonic() < deadline:  # the log is a little behind
        time.sleep(0.02)
        served = [{record["request_id"] for record in proxy.log(event="request")} for proxy in three.proxies]
    assert len(served) == 3
    assert all(served)


def test_a_stream_passes_unbuffered(three: Fleet, fake: Upstream) -> None:
    fake.script(Step(text="one two three four", chunk=4, chunk_delay=0.3))
    headers = {"x-api-key": KEYS["team"]}
    with httpx.stream("POST", f"{three.url}/v1/messages", json=body(stream=True), headers=headers) as answer:
        pieces = answer.iter_bytes()
        first = next(pieces)
        assert not fake.requests[-1].answered
        rest = b"".join(pieces)
    assert b"message_start" in first
    assert b"message_stop" in rest


def test_an_answer_that_one_has_kept_is_given_by_all_and_to_nobody_else(three: Fleet, fake: Upstream) -> None:
    fake.script(Step(text="kept by one"), Step(text="for another"))
    first = three.ask(three.proxies[0].url, model="one,kept")
    assert first.headers["x-terraphim-cache"] == "miss"
    for proxy in three.proxies[1:]:
        again = _until_kept(three, proxy.url)
        assert again.content == first.content
    assert "for another" in three.ask(three.proxies[1].url, who="other", model="one,kept").text


def test_a_session_that_began_at_one_is_known_to_all(three: Fleet, fake: Upstream) -> None:
    fake.script(Step(text="ok", usage=CACHED))
    assert three.ask(three.proxies[0].url, session="known", system=LONG).status_code == 200
    for proxy in three.proxies[1:]:
        reasons = (reason(three, proxy.url, "known") for _ in range(100))  # it is written a little after the answer
        assert "sticky:clever" in reasons
        assert reason(three, proxy.url, "another") == "concept:clever"
        assert reason(three, proxy.url, "known", who="other") == "concept:clever"


def reason(three: Fleet, url: str, session: str, who: str = "team") -> str:
    """Why a request about the concept goes where it goes, by this proxy; a session with a prompt cache stays."""
    told = three.ask(url, path="/v1/route?dialect=anthropic", text="be clever", session=session, who=who, system=LONG)
    return str(told.json()["decision"]["reason"])


def test_a_limit_is_one_for_all(three: Fleet) -> None:
    begun = time.monotonic()
    answers = together(40, lambda: three.ask(who="limited"))
    let_through = Counter(answer.status_code for answer in answers)[200]
    again = time.monotonic() - begun
    assert {answer.status_code for answer in answers} == {200, 429}
    assert 6 <= let_through <= 7 + again * 54 / 60  # a tenth of 60 at once, the rest evenly
    for proxy in three.proxies:
        assert three.ask(proxy.url).status_code == 200


def test_a_budget_is_one_for_all(three: Fleet, fake: Upstream) -> None:
    """5000 micro-USD, of which each request takes 765."""
    fake.script(Step(text="dear", usage=Spent(input=5, output=50), times=30))
    answers = together(30, lambda: three.ask(who="poor", model="one,main"))
    fake.unscript()
    statuses = Counter(answer.status_code for answer in answers)
    assert 5 <= statuses[200] <= 5000 // 765
    assert statuses.keys() == {200, 402}
    for proxy in three.proxies:
        while (last := three.ask(proxy.url, who="poor", model="one,main", max_tokens=200)).status_code == 200:
            pass  # what was held for others is free again
        assert last.status_code == 402


def test_a_breaker_that_opens_at_one_is_seen_by_all(three: Fleet, fake: Upstream) -> None:
    first, *others = (proxy.url for proxy in three.proxies)
    for _ in range(IN_A_ROW):
        fake.script(Step(status=500, times=2), Step(text="from the fallback"))
        assert three.ask(first, model="one,ill").headers["x-terraphim-model"] == "spare"
    fake.unscript()
    for url in others:
        deadline = time.monotonic() + PATIENCE_S
        while (answer := three.ask(url, model="one,ill")).headers["x-terraphim-model"] != "spare":
            assert time.monotonic() < deadline  # they hear of it within a second or two
        assert answer.headers["x-terraphim-attempts"] == "1"


def test_a_client_is_known_by_its_own_address(three: Fleet, fake: Upstream) -> None:
    """One that takes all that an address may have at once takes nothing of another's, whatever it says of itself."""
    fake.script(Step(text="slow", delay=2.0, times=40))

    async def run() -> tuple[list[int], int]:
        transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2", limits=httpx.Limits(max_connections=100))
        headers = {"x-api-key": KEYS["team"]}
        async with httpx.AsyncClient(transport=transport, headers=headers) as greedy:
            url, count = f"{three.url}/v1/messages", len(fake.requests)
            asked = [
                asyncio.create_task(greedy.post(url, json=body(), headers={"x-forwarded-for": f"9.9.9.{number}"}))
                for number in range(60)
            ]
            await asyncio.to_thread(fake.wait_for, lambda requests: len(requests) >= count + 40)
            other = await asyncio.to_thread(three.ask)
            return [answer.status_code for answer in await asyncio.gather(*asked)], other.status_code

    statuses, other = asyncio.run(run())
    assert other == 200
    assert Counter(statuses) == {200: 40, 429: 20}


def _until_kept(three: Fleet, url: str) -> httpx.Response:
    """The answer from Redis; it is written there a little after it was given."""
    for _ in range(100):
        if (answer := three.ask(url, model="one,kept")).headers["x-terraphim-cache"] == "hit":
            return answer
    raise AssertionError("no answer was kept")


@pytest.mark.parametrize("path", ["/metrics", "/ui", "/admin/x", "/health", "/v2/messages"])
def test_what_is_the_operators_stays_inside(path: str, three: Fleet) -> None:
    answer = httpx.get(three.url + path)
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")


def test_a_body_that_is_too_large_is_refused_by_the_proxy_in_the_clients_dialect(three: Fleet) -> None:
    answer = three.ask(text="a" * 33 * 1024 * 1024)
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "request_too_large")
    assert answer.headers["x-terraphim-request-id"]


def test_the_loss_of_redis_and_of_one_proxy_costs_nobody_elses_request(fake: Upstream, tmp_path: Path) -> None:
    with fleet(tmp_path, fake.url, MORE) as three:
        three.redis.process.kill()
        three.redis.process.wait()
        assert served(three, 10) == {200: 10}
        with redis_running(tmp_path, port=three.redis.port):
            assert served(three, 10) == {200: 10}
            lost, statuses = asyncio.run(one_dies(three, fake))
            assert Counter(statuses) == {200: len(statuses) - lost, 502: lost}
            assert 0 < lost < len(statuses)
            assert served(three, 10) == {200: 10}


def served(three: Fleet, count: int) -> Counter[int]:
    """How so many requests at once were answered."""
    return Counter(answer.status_code for answer in together(count, lambda: three.ask(model="one,kept")))


async def one_dies(three: Fleet, fake: Upstream, count: int = 30) -> tuple[int, list[int]]:
    """Requests that a proxy had when it was killed, and how all were answered."""
    fake.script(Step(text="slow", delay=2.0, times=count))
    dying, before, url = three.proxies[0], len(fake.requests), f"{three.url}/v1/messages"
    async with httpx.AsyncClient(headers={"x-api-key": KEYS["team"]}) as client:
        asked = [asyncio.create_task(client.post(url, json=body())) for _ in range(count)]
        await asyncio.to_thread(fake.wait_for, lambda requests: len(requests) >= before + count)
        held = await asyncio.to_thread(metric, dying.url, "terraphim_in_flight")
        dying.process.kill()
        return int(held), [answer.status_code for answer in await asyncio.gather(*asked)]
