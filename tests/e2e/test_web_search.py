"""A search that the provider must run: natively, else at the next target, else a refusal that says what to do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from configs import CONFIG
from proxy import RunningProxy, running
from upstream import Upstream

SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
READ = {"name": "Read", "input_schema": {"type": "object"}}
FUNCTION = {"type": "function", "function": {"name": "Read", "parameters": {"type": "object"}}}
#: The default speaks OpenAI's chat, behind it stands one that searches; no route for searches.
ORDER = CONFIG.replace('default = "one,main"', 'default = "two,spare"').replace(
    'fallback = ["two,spare"]', 'fallback = ["one,search"]'
)


def config(folder: Path, text: str, url: str) -> Path:
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir()
    path = folder / "config.toml"
    path.write_text(text.replace('web_search = "one,search"\n', "").format(url=url, one="anthropic", two="openai"))
    return path


@pytest.fixture(scope="module")
def required(
    fake: Upstream, session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    path = config(tmp_path_factory.mktemp("required"), ORDER, fake.url)
    with running({**session_env, "ONE_KEY": "k"}, "--config", str(path)) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def optional(
    fake: Upstream, session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    text = ORDER.replace("[routing]\n", '[routing]\nweb_search = "optional"\n')
    path = config(tmp_path_factory.mktemp("optional"), text, fake.url)
    with running({**session_env, "ONE_KEY": "k"}, "--config", str(path)) as proxy:
        yield proxy


def ask(proxy: RunningProxy, path: str = "/v1/messages", **body: Any) -> httpx.Response:
    whole = {"model": "auto", "max_tokens": 100, "messages": [{"role": "user", "content": "news?"}], **body}
    return httpx.post(f"{proxy.url}{path}", json=whole, timeout=20)


def answered_by(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return f"{response.headers['x-terraphim-provider']},{response.headers['x-terraphim-model']}"


def sent(fake: Upstream) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(fake.requests[-1].body)
    return body


@pytest.mark.parametrize("tools", [[SEARCH], [READ, SEARCH]])
def test_a_target_that_cannot_search_is_passed_over_for_the_next(
    required: RunningProxy, fake: Upstream, tools: list[dict[str, Any]]
) -> None:
    assert answered_by(ask(required, tools=[READ])) == "two,spare"
    assert answered_by(ask(required, tools=tools)) == "one,search"
    assert sent(fake)["tools"] == tools


def test_a_search_that_must_be_used_reaches_the_provider(required: RunningProxy, fake: Upstream) -> None:
    choice = {"type": "tool", "name": "web_search"}
    assert answered_by(ask(required, tools=[READ, SEARCH], tool_choice=choice)) == "one,search"
    assert sent(fake)["tool_choice"] == choice


@pytest.mark.parametrize("stream", [False, True])
def test_who_is_named_and_cannot_search_is_refused_with_what_to_set(
    required: RunningProxy, fake: Upstream, stream: bool
) -> None:
    count = len(fake.requests)
    response = ask(required, model="two,spare", tools=[READ, SEARCH], stream=stream)
    message = response.json()["error"]["message"]
    assert (response.status_code, len(fake.requests)) == (400, count)
    assert "two,spare was asked for, but cannot do web_search" in message
    assert "routing.runtime.web_search" in message
    assert 'routing.web_search = "optional"' in message


def test_a_client_of_another_dialect_gets_the_providers_own_search(required: RunningProxy, fake: Upstream) -> None:
    response = ask(required, "/v1/chat/completions", model="one,search", tools=[FUNCTION], web_search_options={})
    assert answered_by(response) == "one,search"
    assert [tool.get("type", tool["name"]) for tool in sent(fake)["tools"]] == ["Read", "web_search_20250305"]


def test_the_same_dialect_carries_its_own_way_of_asking(required: RunningProxy, fake: Upstream) -> None:
    options = {"search_context_size": "low"}
    response = ask(required, "/v1/chat/completions", model="two,spare", web_search_options=options)
    assert answered_by(response) == "two,spare"
    assert sent(fake)["web_search_options"] == options


def test_the_operator_may_let_the_search_be_left_out(optional: RunningProxy, fake: Upstream) -> None:
    assert answered_by(ask(optional, tools=[READ, SEARCH])) == "two,spare"
    assert [tool["function"]["name"] for tool in sent(fake)["tools"]] == ["Read"]
    trace = ask(optional, "/v1/route?dialect=anthropic", tools=[READ, SEARCH]).json()["trace"]
    assert any("web_search left out" in step["detail"].get("notes", ()) for step in trace)


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [SEARCH]},
        {"tools": [READ, SEARCH], "tool_choice": {"type": "tool", "name": "web_search"}},
    ],
)
def test_but_not_if_it_is_what_the_request_is_about(optional: RunningProxy, body: dict[str, Any]) -> None:
    assert answered_by(ask(optional, **body)) == "one,search"
    refused = ask(optional, model="two,spare", **body)
    assert refused.status_code == 400
    assert "optional" not in refused.json()["error"]["message"]
