"""`/metrics` of real processes: under load, with made-up names, for slow and for many readers, over a replacement."""

import gzip
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from proxy import PATIENCE_S, RunningProxy, running
from scraped import lines, number, total

BODY = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}


def ask(proxy: RunningProxy, client: httpx.Client, **more: object) -> httpx.Response:
    return client.post(f"{proxy.url}/v1/chat/completions", json={**BODY, **more}, timeout=PATIENCE_S)


def scrape(proxy: RunningProxy, accept: str = "") -> str:
    found = httpx.get(f"{proxy.url}/metrics", headers={"accept": accept}, timeout=PATIENCE_S)
    assert found.status_code == 200
    return found.text


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client() as made:
        yield made


def test_both_formats_of_a_proxy_at_work_are_read(embedded: RunningProxy, client: httpx.Client) -> None:
    for stream in (False, True):
        ask(embedded, client, stream=stream)
    assert {line.name.partition("_")[0] for line in lines(scrape(embedded))} == {"terraphim", "gen", "process"}
    read = {family.name for family in openmetrics(scrape(embedded, "application/openmetrics-text"))}  # type: ignore[no-untyped-call]
    assert {"terraphim_requests", "gen_ai_server_time_to_first_token_seconds", "terraphim_build"} <= read


def test_what_is_explained_is_a_request_and_no_decision(embedded: RunningProxy, client: httpx.Client) -> None:
    ask(embedded, client)
    before = scrape(embedded)
    assert client.post(f"{embedded.url}/v1/route", json=BODY, timeout=PATIENCE_S).status_code == 200
    after = scrape(embedded)
    grown = {name: total(after, name) - total(before, name) for name in (
        "terraphim_requests_total", "terraphim_decisions_total", "terraphim_decision_seconds_count",
    )}  # fmt: skip
    assert list(grown.values()) == [1, 0, 0], grown


def test_it_is_compressed_on_the_wire_if_that_is_accepted(embedded: RunningProxy) -> None:
    with httpx.stream("GET", f"{embedded.url}/metrics", headers={"accept-encoding": "gzip"}) as found:
        raw = b"".join(found.iter_raw())
    assert found.headers["content-encoding"] == "gzip"
    assert number(gzip.decompress(raw), "terraphim_processes") == 1


def test_thousands_of_names_that_nobody_configured_are_no_series(embedded: RunningProxy, client: httpx.Client) -> None:
    def strange(name: object) -> None:
        agent = {"user-agent": f"agent-{name}", "x-session-id": f"session-{name}"}
        body = {**BODY, "model": f"model-{name}", "metadata": {"user_id": f"user-{name}"}}
        client.post(f"{embedded.url}/v1/chat/completions", json=body, headers=agent, timeout=PATIENCE_S)
        client.post(f"{embedded.url}/v1/{name}", json=body, timeout=PATIENCE_S)
        body["model"] = f"openrouter,model-{name}"
        client.post(f"{embedded.url}/v1/chat/completions", json=body, headers=agent, timeout=PATIENCE_S)

    strange("first")
    before, asked = scrape(embedded), 1000
    for name in range(asked):
        strange(name)
    after = scrape(embedded)
    grown = {line.name for line in lines(after)} - {line.name for line in lines(before)}
    assert (len(list(lines(after))), grown) == (len(list(lines(before))), set())
    counted = [total(text, "terraphim_requests_total") for text in (before, after)]
    assert counted[1] - counted[0] == 2 * asked
    assert total(after, "terraphim_attempts_total", target="openrouter,other") > asked
    assert "model-" not in after


def test_a_hundred_may_ask_at_once_and_one_may_never_read(embedded: RunningProxy, client: httpx.Client) -> None:
    url = urlsplit(embedded.url)
    with socket.create_connection((url.hostname or "", url.port or 0)) as slow, ThreadPoolExecutor(20) as pool:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
        scrapes = [pool.submit(scrape, embedded) for _ in range(100)]
        for _ in range(20):
            assert ask(embedded, client).status_code == 200
        pages = [found.result() for found in scrapes]
    assert all(number(page, "terraphim_processes") == 1 for page in pages)


def test_a_replacement_goes_on_where_its_predecessor_ended(clean_env: dict[str, str], client: httpx.Client) -> None:
    with running(clean_env) as old:
        for _ in range(5):
            ask(old, client)
        assert total(scrape(old), "terraphim_requests_total") == 5
        ask(old, client)
        client.close()
        port = str(urlsplit(old.url).port)
        with running(clean_env, "--port", port, "--replace", str(old.process.pid)) as new:
            old.process.wait(PATIENCE_S)
            with httpx.Client() as again:
                ask(new, again)
            text = scrape(new)
            assert total(text, "terraphim_requests_total") == 7
            assert number(text, "terraphim_processes") == 1
            new.process.kill()  # and who begins alone begins anew
            new.process.wait(PATIENCE_S)
    with running(clean_env, "--port", port) as last:
        assert total(scrape(last), "terraphim_requests_total") == 0
