"""What providers report corrects what the proxy counts: in decisions, in count_tokens, and after a restart."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from configs import write_config
from proxy import RunningProxy, running
from upstream import Upstream
from upstream_script import Spent, Step

WORDS = {"role": "user", "content": "word " * 1000}
BODY = {"model": "auto", "max_tokens": 100, "messages": [WORDS]}


@pytest.fixture
def home(tmp_path: Path, upstream: Upstream) -> Path:
    """A configuration whose default model takes 1200 tokens, and has a fallback that takes any."""
    path = write_config(tmp_path, upstream.url)
    path.write_text(path.read_text().replace("max_output = 4096 }", "max_output = 4096, context_window = 1200 }"))
    return path


@pytest.fixture
def proxy(home: Path, clean_env: dict[str, str]) -> Iterator[RunningProxy]:
    with running({**clean_env, "ONE_KEY": "k"}, "--config", str(home)) as started:
        yield started


def ask(proxy: RunningProxy, path: str = "/v1/messages", **more: Any) -> httpx.Response:
    return httpx.post(f"{proxy.url}{path}", json={**BODY, **more}, timeout=20)


def count(proxy: RunningProxy, model: str = "auto") -> int:
    response = ask(proxy, "/v1/messages/count_tokens", model=model)
    tokens: int = response.json()["input_tokens"]
    return tokens


def teach(proxy: RunningProxy, upstream: Upstream, tokens: int, times: int = 3, **more: Any) -> None:
    for _ in range(times):
        upstream.script(Step(text="ok", usage=Spent(input=tokens)))
        assert ask(proxy, **more).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_reports_change_the_count_and_the_decision(proxy: RunningProxy, upstream: Upstream, stream: bool) -> None:
    counted = count(proxy)
    assert 1000 <= counted <= 1010
    assert ask(proxy).headers["x-terraphim-model"] == "main"

    teach(proxy, upstream, counted * 3 // 2, stream=stream)

    assert abs(count(proxy) - counted * 3 // 2) <= 2
    assert count(proxy, "one,main") == count(proxy)
    route = ask(proxy, "/v1/route?dialect=anthropic").json()
    facts = route["features"]
    assert (facts["counted"], facts["token_factor"], facts["token_count"]) == (counted, 1.5, round(counted * 1.5))
    assert {"phase": "features", "outcome": "corrected", "detail": {"counted": counted, "factor": 1.5}} in route[
        "trace"
    ]
    assert route["decision"]["model"] == "spare"
    assert "too small for 15" in msgspec.json.encode(route["trace"]).decode()
    # The other model's own count is what it was: only what was learned of a model corrects it.
    assert route["decision"]["candidates"][0]["tokens"] == counted
    assert ask(proxy).headers["x-terraphim-model"] == "spare"


def test_a_stream_that_breaks_off_and_images_teach_nothing(proxy: RunningProxy, upstream: Upstream) -> None:
    counted = count(proxy)
    for _ in range(3):
        upstream.script(
            Step(text="a long answer", chunk=1, fault="disconnect", after=3, usage=Spent(input=2 * counted))
        )
        ask_and_ignore(proxy)
    png = b64encode(b"\x89PNG\r\n\x1a\n" + bytes(8) + (100).to_bytes(4) + (100).to_bytes(4)).decode()
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png}}
    picture = [{"role": "user", "content": [image, {"type": "text", "text": WORDS["content"]}]}]
    teach(proxy, upstream, 2 * counted, messages=picture, model="one,main")
    assert count(proxy) == counted


def ask_and_ignore(proxy: RunningProxy) -> None:
    with httpx.stream("POST", f"{proxy.url}/v1/messages", json={**BODY, "stream": True}, timeout=20) as response:
        try:
            response.read()
        except httpx.RemoteProtocolError:
            return
    raise AssertionError("the stream was to break off")


def test_what_was_learned_survives_a_restart(upstream: Upstream, home: Path, clean_env: dict[str, str]) -> None:
    env = {**clean_env, "ONE_KEY": "k"}
    with running(env, "--config", str(home)) as proxy:
        counted = count(proxy)
        teach(proxy, upstream, counted * 6 // 5)
        after = count(proxy)
    assert after > counted * 1.15
    with running(env, "--config", str(home)) as proxy:
        assert count(proxy) == after


def test_simulated_answers_teach_nothing(clean_env: dict[str, str]) -> None:
    with running(clean_env) as proxy:
        counted = count(proxy)
        for _ in range(4):
            assert ask(proxy).headers["x-terraphim-simulated"] == "1"
        assert count(proxy) == counted
    state = Path(clean_env["HOME"]) / ".local" / "state" / "terraphim-proxy"
    assert not (state / "token-ratios.json").exists()
