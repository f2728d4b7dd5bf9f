"""The cache on a running proxy: every client's dialect, streamed and whole, before every provider's."""

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import anthropic_checks
import httpx
import openai_checks
import pytest
import responses_checks
from proxy import RunningProxy, running
from upstream import Upstream
from upstream_script import Call, Step

PROVIDERS = ("anthropic", "openai", "openai-responses", "gemini", "ollama")
PATHS = {
    "anthropic": "/v1/messages",
    "openai": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
}
CONFIG = """\
[server]
keys = [{{ name = "a", key = {{ env = "KEY_A" }} }}, {{ name = "b", key = {{ env = "KEY_B" }} }}]
[routing]
default = "anthropic,main"
fallback = []
[resilience]
breaker = false
[cache]
targets = {targets}
max_answer_kb = 64
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
"""
PROVIDER = """\
[providers.{name}]
dialect = "{name}"
base_url = "{url}"
allow_private = true
api_key = {{ env = "ONE_KEY" }}
any_model = true
"""
TOOL = {"name": "get", "description": "d", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}
ANSWER = Step(think="hm", text="The answer is ünïcode and 42.", tools=(Call("get", {"a": "x"}),), chunk=5)
Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def proxy(
    fake: Upstream, session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    """A proxy before all providers; answers of all models but `secret` are kept."""
    folder = tmp_path_factory.mktemp("config")
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir()
    text = CONFIG.format(targets='["*,main", "anthropic,claude-*"]')
    text += "".join(PROVIDER.format(name=name, url=fake.url) for name in PROVIDERS)
    path = folder / "config.toml"
    path.write_text(text)
    keys = {"KEY_A": "client-key-a-0123456789", "KEY_B": "client-key-b-0123456789", "ONE_KEY": "sk"}
    with running({**session_env, **keys}, "--config", str(path)) as running_proxy:
        yield running_proxy


@pytest.fixture
def ask(proxy: RunningProxy, fake: Upstream) -> Iterator[Ask]:
    """Ask in a dialect; the client's key is a's unless said otherwise."""
    fake.unscript()

    def asked(dialect: str = "anthropic", *, who: str = "a", headers: Any = None, **more: Any) -> httpx.Response:
        sent = {"x-api-key": f"client-key-{who}-0123456789"} | (headers or {})
        return httpx.post(proxy.url + PATHS[dialect], json=body_of(dialect) | more, headers=sent)

    yield asked
    fake.unscript()


def body_of(dialect: str) -> dict[str, Any]:
    """A request with a tool."""
    user = [{"role": "user", "content": "hello"}]
    if dialect == "openai-responses":
        return {"model": "anthropic,main", "input": user, "tools": [{"type": "function", **TOOL}], "store": False}
    if dialect == "openai":
        return {"model": "anthropic,main", "messages": user, "tools": [{"type": "function", "function": TOOL}]}
    tool = {"name": "get", "input_schema": TOOL["parameters"]}
    return {"model": "anthropic,main", "max_tokens": 90, "messages": user, "tools": [tool]}


def cache(response: httpx.Response) -> str:
    return str(response.headers.get("x-terraphim-cache", ""))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("dialect", PATHS)
def test_the_same_request_gets_the_same_bytes(
    dialect: str, provider: str, stream: bool, ask: Ask, fake: Upstream
) -> None:
    fake.script(ANSWER)
    first = ask(dialect, model=f"{provider},main", stream=stream, user="matrix")
    count = len(fake.requests)
    again = ask(dialect, model=f"{provider},main", stream=stream, user="matrix")
    assert (first.status_code, again.status_code) == (200, 200), first.text
    assert (cache(first), cache(again)) == ("miss", "hit")
    assert again.content == first.content
    assert b"42" in again.content
    assert len(fake.requests) == count
    for name in ("content-type", "x-terraphim-provider", "x-terraphim-model", "x-terraphim-reason"):
        assert again.headers[name] == first.headers[name]
    assert "x-terraphim-attempts" not in again.headers
    assert again.headers["x-terraphim-request-id"] != first.headers["x-terraphim-request-id"]


def test_a_key_never_gets_an_answer_of_another_key(ask: Ask, fake: Upstream) -> None:
    fake.script(Step(text="for a"), Step(text="for b"))
    assert [cache(ask(who=who, user="keys")) for who in "abab"] == ["miss", "miss", "hit", "hit"]
    assert ["for a" in ask(who=who, user="keys").text for who in "ab"] == [True, False]


@pytest.mark.parametrize(
    "more",
    [
        {"max_tokens": 91},
        {"stream": True},
        {"metadata": {"user_id": "u"}},
        {"headers": {"anthropic-beta": "context-1m"}},
        {"model": "openai,main"},
    ],
)
def test_another_request_is_asked(more: dict[str, Any], ask: Ask) -> None:
    """The first stands in for each: `user` keeps tests apart."""
    ask(user="others")
    assert cache(ask(user="others", **more)) == "miss"
    assert cache(ask(user="others")) == "hit"


def test_a_client_can_have_a_new_answer(ask: Ask, fake: Upstream) -> None:
    fake.script(*(Step(text=f"answer {number}") for number in range(3)))
    assert cache(ask(user="new")) == "miss"
    stored = ask(user="new", headers={"cache-control": "no-store"})
    assert (cache(stored), "answer 1" in stored.text) == ("bypass", True)
    assert "answer 0" in ask(user="new").text
    assert "answer 2" in ask(user="new", headers={"cache-control": "no-cache"}).text
    again = ask(user="new")
    assert (cache(again), "answer 2" in again.text) == ("hit", True)


def test_other_targets_have_no_cache(ask: Ask) -> None:
    for _ in range(2):
        assert "x-terraphim-cache" not in ask(model="anthropic,secret").headers


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("provider", ["anthropic", "openai"])
@pytest.mark.parametrize(
    "step",
    [
        Step(status=500),
        Step(text="cut here, please", fault="truncate", chunk=2),
        Step(text="no", stop="refusal"),
        Step(text="far too long " * 8000, chunk=1000),
    ],
    ids=["error", "cut", "refusal", "large"],
)
def test_only_good_answers_are_kept(step: Step, provider: str, stream: bool, ask: Ask, fake: Upstream) -> None:
    if step.fault and not stream:
        step = Step(status=502)  # a whole answer that is cut is an error like any other
    if step.stop and provider == "openai":
        step = Step(text="no", stop="content_filter")
    user = f"only {step.text[:5]} {step.status} {stream}"
    fake.script(step, step)
    try:
        ask(user=user, stream=stream, model=f"{provider},main")
    except httpx.RemoteProtocolError:
        assert step.fault
    fake.unscript()
    after = ask(user=user, stream=stream, model=f"{provider},main")
    assert (after.status_code, cache(after)) == (200, "miss")
    assert cache(ask(user=user, stream=stream, model=f"{provider},main")) == "hit"


def test_what_is_counted(ask: Ask, proxy: RunningProxy, fake: Upstream) -> None:
    def counted(metric: str) -> float:
        lines = httpx.get(f"{proxy.url}/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(metric))

    names = ('terraphim_cache_total{outcome="hit"}', "terraphim_cache_kept_total", "terraphim_tokens_total")
    fake.script(Step(text="counted"))
    ask(user="count")
    before = [counted(name) for name in names]
    last = ask(user="count").headers["x-terraphim-request-id"]
    assert [counted(name) for name in names] == [before[0] + 1, *before[1:]]
    assert counted("terraphim_cache_bytes") > 0
    line = proxy.wait_for(event="request", request_id=last)
    assert line["cache"] == "hit"
    assert not {"usage", "attempts"} & set(line)


MODULES: tuple[ModuleType, ...] = (anthropic_checks, openai_checks, responses_checks)
#: Those that see how an answer is read.
READING = {"create", "stream", "raw_stream", "parallel_tools", "parallel_tools_streamed", "thinking", "length"}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_sdks_read_answers_given_again(
    module: ModuleType, fake: Upstream, session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("sdk")
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir()
    text = CONFIG.format(targets='["*"]').split("[routing]")[1]
    text = "[routing]" + text + PROVIDER.format(name="anthropic", url=fake.url)
    (folder / "config.toml").write_text(text)
    with running({**session_env, "ONE_KEY": "k"}, "--config", str(folder / "config.toml")) as proxy:
        checks = [check for check in module.CHECKS if check.__name__.removeprefix("check_") in READING]
        for check in checks:
            check(proxy.url, "claude-sonnet-5")
            count = len(fake.requests)
            check(proxy.url, "claude-sonnet-5")
            assert len(fake.requests) == count, check.__name__
    assert len(checks) >= 4
