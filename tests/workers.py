"""A proxy of several workers, and connections to each of them: `with group(env, config) as proxy`."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from proxy import PATIENCE_S, RunningProxy, running

COUNT = 2


@contextmanager
def group(env: Mapping[str, str], config: Path, *more: str, count: int = COUNT) -> Iterator[RunningProxy]:
    """So many workers, all of which serve."""
    arguments = ("--config", str(config), "--workers", str(count), *more)
    with running({**env, "ONE_KEY": "sk-canary"}, *arguments) as proxy:
        proxy.wait_for(event="workers_ready")
        yield proxy


def health(proxy: RunningProxy, client: httpx.Client | None = None) -> dict[str, Any]:
    """How the workers are."""
    get = client.get if client else httpx.get
    told: dict[str, Any] = get(f"{proxy.url}/health", timeout=PATIENCE_S).json()["workers"]
    return told


def until(proxy: RunningProxy, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first health that is as wanted; fails after `PATIENCE_S`."""
    deadline = time.monotonic() + PATIENCE_S
    while not wanted(told := health(proxy)):
        assert time.monotonic() < deadline, told
        time.sleep(0.02)
    return told


@contextmanager
def at_each(proxy: RunningProxy, count: int = COUNT) -> Iterator[dict[int, httpx.Client]]:
    """A connection to each worker, which the kernel chooses: so many are opened as it takes."""
    found: dict[int, httpx.Client] = {}
    with ExitStack() as stack:
        deadline = time.monotonic() + PATIENCE_S
        while len(found) < count:
            assert time.monotonic() < deadline, found
            client = stack.enter_context(httpx.Client(base_url=proxy.url, timeout=PATIENCE_S))
            found.setdefault(health(proxy, client)["this"], client)
        yield found


def process(proxy: RunningProxy, worker: int) -> int:
    """The worker's process."""
    return int(next(each["process"] for each in health(proxy)["each"] if each["worker"] == worker))
