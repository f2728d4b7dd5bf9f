"""Images by URL through the real program: fetched for a provider that takes none, told in the client's own words."""

from collections.abc import Iterator, Mapping

import httpx
import pytest
from proxy import PATIENCE_S, RunningProxy, running
from upstream import Upstream

CONFIG = """\
[providers.ollama]
base_url = "{url}"
[providers.chat]
dialect = "openai"
base_url = "{url}"
allow_private = true
[routing]
default = "ollama,qwen3:8b"
[providers.ollama.models."qwen3:8b"]
images = true
[providers.chat.models.seer]
images = true
"""


@pytest.fixture(scope="module")
def proxy(
    fake: Upstream, session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    config = tmp_path_factory.mktemp("config") / "config.toml"
    config.write_text(CONFIG.format(url=fake.url))
    with running(session_env, "--config", str(config)) as running_proxy:
        yield running_proxy


def asked(proxy: RunningProxy, path: str, part: Mapping[str, object], model: str = "auto") -> httpx.Response:
    content = [{"type": "text", "text": "what is it?"}, part]
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": content}]}
    return httpx.post(proxy.url + path, json=body, timeout=PATIENCE_S)


def test_a_private_address_is_not_asked_and_the_client_is_told_where(proxy: RunningProxy, fake: Upstream) -> None:
    before = len(fake.requests)
    image = {"type": "image", "source": {"type": "url", "url": f"{fake.url}/secret.png"}}
    answer = asked(proxy, "/v1/messages", image)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"].startswith("messages.0.content.1: the image cannot be passed on: 127.0.0.1: it cannot be")
    assert fake.requests[before:] == []


def test_a_chat_client_is_told_in_its_own_shape(proxy: RunningProxy, fake: Upstream) -> None:
    answer = asked(proxy, "/v1/chat/completions", {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", "messages.0.content.1")


def test_a_provider_that_takes_urls_is_given_the_url(proxy: RunningProxy, fake: Upstream) -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://images.example/a.png"}}
    assert asked(proxy, "/v1/messages", image, "chat,seer").status_code == 200
    assert b'{"url":"https://images.example/a.png"}' in fake.requests[-1].body
