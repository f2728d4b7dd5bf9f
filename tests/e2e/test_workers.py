"""`serve --workers 2`, with real processes: what is served, counted and kept while they come and go."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from configs import write_config
from proxy import PATIENCE_S, RunningProxy, running
from scraped import number, total
from upstream import Upstream
from upstream_script import Step
from workers import at_each, group, health, process, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SKIPPED: several workers need Linux")

ASK = {"model": "one,main", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}


def gone(pid: int) -> bool:
    """Whether the process has ended, or waits for its parent to hear of it."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def wait_until_gone(*pids: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not all(map(gone, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def env(folder: Path, artifacts: Path) -> dict[str, str]:
    home = folder / "home"
    home.mkdir()
    return {
        "HOME": str(home), "PATH": os.defpath, "LANG": "C.UTF-8", "TERRAPHIM_DISCOVERY": "off",
        "XDG_CACHE_HOME": str(artifacts),
    }  # fmt: skip


@pytest.fixture(scope="module")
def two(fake: Upstream, folder: Path, env: dict[str, str]) -> Iterator[RunningProxy]:
    """Two workers that no test ends."""
    with group(env, write_config(folder, fake.url)) as proxy:
        yield proxy


def test_each_worker_answers_and_each_is_counted(two: RunningProxy, env: dict[str, str]) -> None:
    with at_each(two) as clients:
        before = total(clients[0].get("/metrics").text, "terraphim_requests_total")
        ids = [
            clients[worker].post("/v1/messages", json=ASK).raise_for_status().headers["x-terraphim-request-id"]
            for worker in (0, 1, 1, 0, 1)
        ]
        deadline = time.monotonic() + PATIENCE_S
        for client in clients.values():
            while (text := client.get("/metrics").text) and total(text, "terraphim_requests_total") != before + 5:
                assert time.monotonic() < deadline  # the others' numbers are up to a second old
                time.sleep(0.1)
            assert number(text, "terraphim_processes") == 2
    assert len(two.lines) == len([line for line in two.lines if line.count("\n") == 1])
    state = Path(env["HOME"]) / ".local/state/terraphim-proxy"
    deadline = time.monotonic() + PATIENCE_S
    while {*ids} - recorded(state / "records.db"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def recorded(database: Path) -> set[str]:
    with sqlite3.connect(database) as connection:
        found = {row[0] for row in connection.execute("SELECT request_id FROM usage")}
    connection.close()
    return found


def test_a_killed_worker_costs_what_it_had_and_nothing_else(two: RunningProxy) -> None:
    with at_each(two) as clients:
        for client in clients.values():
            client.post("/v1/messages", json=ASK).raise_for_status()
        clients[0].get("/metrics")
        time.sleep(1.2)  # each leaves its numbers once a second
        before = total(clients[0].get("/metrics").text, "terraphim_requests_total")
        ended = process(two, 1)
        os.kill(ended, signal.SIGKILL)
        for _ in range(20):
            httpx.post(f"{two.url}/v1/messages", json=ASK, timeout=PATIENCE_S).raise_for_status()
        until(two, lambda told: told["ready"] == 2 and told["restarts"] >= 1)
        assert process(two, 1) != ended
        two.wait_for(event="worker_ended", worker=1, status=-signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_S
        while total(clients[0].get("/metrics").text, "terraphim_requests_total") != before + 20:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    with at_each(two) as clients:
        assert {client.post("/v1/messages", json=ASK).status_code for client in clients.values()} == {200}


def test_under_traffic_a_kill_breaks_no_connection_but_its_own(two: RunningProxy) -> None:
    with at_each(two) as clients, ThreadPoolExecutor(9) as pool:
        restarts = health(two, clients[0])["restarts"]
        stop = time.monotonic() + 2

        def traffic() -> int:
            served = 0
            while time.monotonic() < stop:
                with suppress(httpx.RemoteProtocolError, httpx.ReadError):  # what the dead one had
                    httpx.post(f"{two.url}/v1/messages", json=ASK, timeout=PATIENCE_S).raise_for_status()
                    served += 1
            return served

        def stays() -> int:
            served = 0
            while time.monotonic() < stop:
                clients[0].post("/v1/messages", json=ASK).raise_for_status()
                served += 1
            return served

        new, kept = [pool.submit(traffic) for _ in range(8)], pool.submit(stays)
        os.kill(process(two, 1), signal.SIGKILL)
        assert all(each.result() > 0 for each in (*new, kept))
        until(two, lambda told: told["ready"] == 2 and told["restarts"] > restarts)


def test_all_serve_the_next_generation(two: RunningProxy, folder: Path) -> None:
    config = folder / "config.toml"
    with at_each(two) as clients:
        old = {client.get("/health").json()["snapshot"] for client in clients.values()}
        config.write_text(config.read_text().replace('default = "one,main"', 'default = "one,small"'))
        os.kill(two.process.pid, signal.SIGHUP)
        until(two, lambda told: told["lagging"] == [])
        deadline = time.monotonic() + PATIENCE_S
        while (new := {client.get("/health").json()["snapshot"] for client in clients.values()}) & old:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert (len(old), len(new)) == (1, 1)
        os.kill(process(two, 1), signal.SIGSTOP)  # and one that cannot
        try:
            config.write_text(config.read_text().replace('default = "one,small"', 'default = "one,main"'))
            deadline = time.monotonic() + PATIENCE_S
            while health(two, clients[0])["lagging"] != [1]:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            os.kill(
                next(each["process"] for each in health(two, clients[0])["each"] if each["worker"] == 1), signal.SIGCONT
            )
        until(two, lambda told: told["lagging"] == [])


def test_what_is_under_way_at_each_worker_finishes(
    clean_env: dict[str, str], upstream: Upstream, tmp_path: Path
) -> None:
    upstream.script(*[Step(text="word " * 20, delay=1.5)] * 2)
    with group(clean_env, write_config(tmp_path, upstream.url)) as proxy, at_each(proxy) as clients:
        pids = [process(proxy, worker) for worker in clients]
        with ThreadPoolExecutor(2) as pool:
            answers = [pool.submit(client.post, "/v1/messages", json=ASK) for client in clients.values()]
            upstream.wait_for(lambda requests: len(requests) == 2)
            proxy.process.terminate()
            for pid in pids:  # as a service manager does that signals all processes
                os.kill(pid, signal.SIGTERM)
            assert [answer.result().status_code for answer in answers] == [200, 200]
        assert proxy.process.wait(PATIENCE_S) == 0
        assert [line["told"] for line in proxy.log(event="stopped")] == [0, 0]
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{proxy.url}/health/live")
        assert all(map(gone, pids))


def test_a_second_signal_ends_all_of_them_now(clean_env: dict[str, str], upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(*[Step(delay=600)] * 2)
    config = write_config(tmp_path, upstream.url)
    config.write_text("[server]\ndrain_s = 600\n" + config.read_text())
    with group(clean_env, config) as proxy, at_each(proxy) as clients, ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(client.post, "/v1/messages", json=ASK) for client in clients.values()]
        upstream.wait_for(lambda requests: len(requests) == 2)
        proxy.process.terminate()
        proxy.wait_for(event="stopping", stage="closing")
        proxy.process.terminate()
        assert [answer.result().status_code for answer in answers] == [529, 529]
        assert proxy.process.wait(PATIENCE_S) == 0


def test_workers_without_their_supervisor_end(clean_env: dict[str, str], upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(Step(text="word " * 20, delay=1))
    with group(clean_env, write_config(tmp_path, upstream.url)) as proxy, at_each(proxy) as clients:
        pids = [process(proxy, worker) for worker in clients]
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(clients[0].post, "/v1/messages", json=ASK)
            upstream.wait_for(lambda requests: len(requests) == 1)
            proxy.process.kill()
            assert answer.result().status_code == 200
        wait_until_gone(*pids)


def test_two_replace_two_and_one_replaces_them(clean_env: dict[str, str], upstream: Upstream, tmp_path: Path) -> None:
    config = write_config(tmp_path, upstream.url)
    env = {**clean_env, "ONE_KEY": "sk-canary"}
    asked: list[int] = []
    stop: list[bool] = []

    def traffic(url: str) -> None:
        while not stop:
            asked.append(httpx.post(f"{url}/v1/messages", json=ASK, timeout=PATIENCE_S).status_code)

    with ThreadPoolExecutor(4) as pool, group(clean_env, config) as old:
        port = str(urlsplit(old.url).port)
        under_way = [pool.submit(traffic, old.url) for _ in range(4)]
        try:
            with group(clean_env, config, "--port", port, "--replace", str(old.process.pid)) as new:
                assert new.wait_for(event="replaced", process=old.process.pid)["steered"]
                assert old.process.wait(PATIENCE_S) == 0
                again = ("--config", str(config), "--port", port, "--replace", str(new.process.pid))
                with running(env, *again) as one:
                    assert one.wait_for(event="replaced", process=new.process.pid)["steered"]
                    assert new.process.wait(PATIENCE_S) == 0
                    stop.append(True)
                    for each in under_way:
                        each.result()
        finally:
            stop.append(True)
    assert set(asked) == {200}


def test_what_cannot_be_is_said(clean_env: dict[str, str], upstream: Upstream, tmp_path: Path) -> None:
    config = write_config(tmp_path, upstream.url)
    env = {**clean_env, "ONE_KEY": "sk-canary"}
    command = [sys.executable, "-I", "-m", "core.cli", "serve", "--config", str(config)]

    def refused(*more: str) -> tuple[int, str]:
        done = subprocess.run([*command, *more], env=env, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stderr

    assert refused("--workers", "0")[0] == 2
    assert refused("--workers", "some")[0] == 2
    status, said = refused("--member", "77")
    assert (status, "what a supervisor tells its workers" in said) == (1, True)
    port = str(urlsplit(upstream.url).port)
    status, said = refused("--workers", "2", "--port", port)
    assert (status, "Try --port" in said) == (1, True)
    config.write_text(config.read_text().replace('"one,main"', '"nobody,main"'))
    assert refused("--workers", "2", "--port", "0")[0] == 78
