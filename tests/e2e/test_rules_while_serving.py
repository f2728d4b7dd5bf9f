"""Rules dropped, broken and removed under traffic: every request is answered, the next one sees the change."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from configs import write_config
from facts import ROOT
from proxy import PATIENCE_S, RunningProxy, running
from upstream import Upstream

HOSTILE = ROOT / "wasm_host" / "conformance" / "hostile"
BODY = {"model": "claude-x", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}
#: A rule that routes everything to one target.
ROUTE = """
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "{\\"route\\":\\"two,spare\\",\\"reason\\":\\"always\\"}")
  (func (export "rule_v1_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param i32 i32) (result i64) (i64.const 39)))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def proxy(folder: Path, clean_env: dict[str, str], upstream: Upstream) -> Iterator[RunningProxy]:
    config = write_config(folder, upstream.url)
    with running({**clean_env, "ONE_KEY": "k"}, "--config", str(config)) as started:
        yield started


def reason(proxy: RunningProxy) -> str:
    response = httpx.post(f"{proxy.url}/v1/messages", json=BODY, timeout=20)
    assert response.status_code == 200
    return response.headers["x-terraphim-reason"]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.05)


@contextmanager
def traffic(proxy: RunningProxy) -> Iterator[list[int]]:
    """Requests without a pause; the list collects their statuses."""
    statuses: list[int] = []
    stop = threading.Event()

    def run() -> None:
        with httpx.Client(timeout=20) as client:
            while not stop.is_set():
                statuses.append(client.post(f"{proxy.url}/v1/messages", json=BODY).status_code)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_rule_comes_breaks_and_goes_under_traffic(proxy: RunningProxy, folder: Path) -> None:
    rule = folder / "plugins" / "always.wat"
    with traffic(proxy) as statuses:
        assert reason(proxy) == "default"
        rule.write_text(ROUTE)
        until(lambda: reason(proxy) == "rule:always")
        rule.write_text("(module (broken")
        proxy.wait_for(event="problem")
        assert reason(proxy) == "rule:always"
        rule.unlink()
        until(lambda: reason(proxy) == "default")
    assert len(statuses) > 10
    assert set(statuses) == {200}
    assert "always.wat" in proxy.wait_for(event="problem")["problem"]


@pytest.mark.parametrize(
    ("module", "outcome"),
    [("loop", "fuel"), ("grow_to_cap", "abstain"), ("unreachable", "trap"), ("recursion_fat", "trap")],
)
def test_a_hostile_rule_costs_no_request(proxy: RunningProxy, folder: Path, module: str, outcome: str) -> None:
    source = HOSTILE / f"{module}.wat"
    with traffic(proxy) as statuses:
        shutil.copy(source, folder / "plugins" / "hostile.wat")
        until(lambda: f'outcome="{outcome}",rule="hostile"' in httpx.get(f"{proxy.url}/metrics").text)
        assert reason(proxy) == "default"
    assert set(statuses) == {200}
    assert proxy.process.poll() is None


def workers(proxy: RunningProxy) -> list[int]:
    """The processes that rules run in."""
    found = []
    for thread in Path(f"/proc/{proxy.process.pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            with suppress(FileNotFoundError):
                if b"wasm_host.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return found


def test_killed_workers_cost_no_request_and_no_decision(proxy: RunningProxy, folder: Path) -> None:
    (folder / "plugins" / "always.wat").write_text(ROUTE)
    until(lambda: reason(proxy) == "rule:always")
    with traffic(proxy) as statuses:
        for _ in range(5):
            until(lambda: "terraphim_rule_workers 2.0" in httpx.get(f"{proxy.url}/metrics").text)
            for worker in workers(proxy):
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGSEGV)
            assert reason(proxy) == "rule:always"
    assert len(statuses) > 10
    assert set(statuses) == {200}
    assert proxy.wait_for(event="rule_worker_lost")["cause"] == "crash"
    until(lambda: "terraphim_rule_workers 2.0" in httpx.get(f"{proxy.url}/metrics").text)
    lines = httpx.get(f"{proxy.url}/metrics").text
    assert 'terraphim_rule_breaker{rule="always",state="closed"} 1.0' in lines
    assert 'rule_outcomes_total{outcome="crash"' not in lines


def test_no_worker_outlives_the_proxy(proxy: RunningProxy, folder: Path) -> None:
    (folder / "plugins" / "always.wat").write_text(ROUTE)
    until(lambda: len(workers(proxy)) == 2)
    pids = workers(proxy)
    proxy.process.kill()
    until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids))


def test_a_broken_configuration_changes_nothing_and_says_where(proxy: RunningProxy, folder: Path) -> None:
    config = folder / "config.toml"
    good = config.read_text()
    config.write_text(good.replace("[plugins]", "[plugns]"))
    line = proxy.wait_for(event="reload_failed")
    number = good[: good.index("[plugins]")].count("\n") + 1
    assert f"config.toml:{number}: plugns: unknown key (did you mean 'plugins'?)" in line["problem"]
    assert reason(proxy) == "default"
    config.write_text(good.replace('default = "one,main"', 'default = "two,spare"'))
    proxy.wait_for(event="snapshot_swapped")
    response = httpx.post(f"{proxy.url}/v1/messages", json=BODY)
    assert response.headers["x-terraphim-model"] == "spare"


def test_a_taxonomy_file_is_picked_up_and_its_mistakes_are_named(proxy: RunningProxy, folder: Path) -> None:
    concept = folder / "taxonomy" / "greeting.md"
    concept.write_text("# Greeting\nroute:: two, spare\nsynonyms:: hello\npriority:: 500\n")
    until(lambda: reason(proxy) == "concept:greeting")
    assert "greeting.md:4" in proxy.wait_for(event="problem")["problem"]


def test_sighup_reloads(proxy: RunningProxy, folder: Path) -> None:
    before = len(proxy.log(event="snapshot_swapped"))
    proxy.process.send_signal(1)
    (folder / "plugins" / "always.wat").write_text(ROUTE)
    proxy.process.send_signal(1)
    until(lambda: reason(proxy) == "rule:always")  # what an earlier test took away may be swapped out only now
    assert len(proxy.log(event="snapshot_swapped")) > before
