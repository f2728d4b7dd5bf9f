"""The live feed of the running program."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from configs import write_config
from proxy import PATIENCE_S, RunningProxy, running

from core.feed_readers import MOST
from core.sse import Decoder


class Watch:
    """One reader."""

    def __init__(self, stream: httpx.Response) -> None:
        self._events = self._decoded(stream)

    def _decoded(self, stream: httpx.Response) -> Iterator[tuple[str, Any]]:
        decoder = Decoder()
        for piece in stream.iter_bytes():
            for event in decoder.feed(piece):
                if event.data is not None:
                    yield event.name, msgspec.json.decode(event.data)

    def next(self, *names: str) -> tuple[str, Any]:
        """The next of these kinds."""
        return next((name, data) for name, data in self._events if name in names)

    def ended(self) -> bool:
        """Nothing but ticks and reloads comes until the end."""
        return {name for name, _ in self._events} <= {"tick", "reload"}


@contextmanager
def watching(proxy: RunningProxy) -> Iterator[Watch]:
    with httpx.stream("GET", f"{proxy.url}/admin/events", headers=proxy.admin) as stream:
        assert stream.status_code == 200, stream.read()
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["cache-control"] == "no-store"
        yield Watch(stream)


def ask(proxy: RunningProxy) -> str:
    body = {"model": "auto", "max_tokens": 50, "messages": [{"role": "user", "content": "go to plan mode"}]}
    return httpx.post(f"{proxy.url}/v1/messages", json=body).headers["x-terraphim-request-id"]


def test_hello_requests_and_ticks(embedded: RunningProxy) -> None:
    with watching(embedded) as one, watching(embedded) as two:
        for watch in (one, two):
            _, hello = watch.next("hello")
            assert hello["order"] == ["runtime", "custom", "pattern", "default"]
        asked = ask(embedded)
        for watch in (one, two):
            states = [watch.next("request")[1] for _ in range(2)]
            assert [(each["id"], each["state"]) for each in states] == [(asked, "open"), (asked, "done")]
        _, tick = one.next("tick")
        assert set(tick) == {"now_ms", "in_flight", "requests", "errors"}
        assert tick["requests"] >= 1


def test_a_reader_that_leaves_makes_room(embedded: RunningProxy) -> None:
    for _ in range(2):
        with ExitStack() as stack:
            watches = [stack.enter_context(watching(embedded)) for _ in range(MOST)]
            for watch in watches:
                watch.next("hello")
            with httpx.stream("GET", f"{embedded.url}/admin/events", headers=embedded.admin) as answer:
                assert answer.status_code == 429
                assert "close one" in answer.read().decode()
        embedded_is_free(embedded)


def embedded_is_free(proxy: RunningProxy) -> None:
    """Every reader has been seen to leave."""
    deadline = time.monotonic() + PATIENCE_S
    while (watched := httpx.get(f"{proxy.url}/admin/overview", headers=proxy.admin).json()["readers"]) > 0:
        assert time.monotonic() < deadline, f"{watched} readers that left still have their places"


def test_head_does_not_wait(embedded: RunningProxy) -> None:
    answer = httpx.head(f"{embedded.url}/admin/events", headers=embedded.admin)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")


def test_whose_token_is_changed_hears_no_more(tmp_path: Path, clean_env: dict[str, str]) -> None:
    config, token = write_config(tmp_path, "http://127.0.0.1:1"), tmp_path / "token"
    token.write_text("the-first-token-of-the-operator")
    token.chmod(0o600)
    config.write_text('[server]\nadmin_token = { file = "token" }\n' + config.read_text())
    with running({**clean_env, "ONE_KEY": "sk-canary"}, "--config", str(config)) as proxy, watching(proxy) as watch:
        watch.next("hello")
        token.write_text("the-second-token-of-the-operator")
        assert watch.ended()
        status = httpx.get(f"{proxy.url}/admin/overview", headers=proxy.admin).status_code
        assert (status, proxy.process.poll()) == (401, None)


def test_reloads_and_the_end(tmp_path: Path, clean_env: dict[str, str]) -> None:
    config = write_config(tmp_path, "http://127.0.0.1:1")
    with running({**clean_env, "ONE_KEY": "sk-canary"}, "--config", str(config)) as proxy, watching(proxy) as watch:
        before = watch.next("hello")[1]
        text = config.read_text()
        config.write_text(text.replace("default = ", "defaut = "))
        _, failed = watch.next("reload")
        assert failed["last_reload"]["outcome"] == "failed"
        assert any("defaut" in problem["message"] for problem in failed["problems"])
        assert failed["snapshot"] == before["snapshot"]
        config.write_text(text.replace("one,small", "two,spare"))
        while (shown := watch.next("reload")[1])["last_reload"]["outcome"] == "failed":
            pass
        assert shown["problems"] == []
        assert shown["snapshot"] != before["snapshot"]
        assert shown["last_reload"]["ms"] > 0
        proxy.process.send_signal(signal.SIGTERM)
        assert watch.ended()
        proxy.process.wait(20)
        assert proxy.process.returncode == 0
