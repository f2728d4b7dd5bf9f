"""What foreigners get of the admin plane, over every route that there is, and what its answers never hold."""

import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest
from configs import write_config
from proxy import RunningProxy, running
from routes import routes
from upstream import Upstream
from upstream_script import Step
from xss_payloads import PAYLOADS

from core.admin_door import is_admin
from core.names import is_name

CLIENT, PROVIDER, TOKEN = (f"canary-{name}-{secrets.token_hex(16)}" for name in ("client", "provider", "admin"))
CANARIES: Final = (CLIENT, PROVIDER, TOKEN)
WORDS: Final = [f"word{secrets.token_hex(4)}" for _ in range(40)]
SERVER: Final = """\
[server]
admin_token = { env = "ADMIN" }
drain_delay_s = 4.0
drain_s = 1.0
[[server.keys]]
name = "laptop"
key = { env = "CLIENT" }
"""
#: One for all: to make one costs more than to ask.
CLIENTS: Final = httpx.Client(timeout=30)
ADMIN: Final = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    from upstream import running as upstream_running  # noqa: PLC0415 - the name is taken

    with upstream_running() as fake:
        yield fake


@pytest.fixture(scope="module")
def proxy(
    provider: Upstream, session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    folder = tmp_path_factory.mktemp("admin")
    config = write_config(folder, provider.url)
    config.write_text(SERVER + config.read_text())
    (folder / "taxonomy" / "<img src=x onerror=pwn()>.md").write_text(
        "# <script>pwn()</script>\nroute:: one, main\nsynonyms:: <b>bold</b>, go to plan mode\n"
    )
    env = {**session_env, "ONE_KEY": PROVIDER, "CLIENT": CLIENT, "ADMIN": TOKEN}
    with CLIENTS, running(env, "--config", str(config)) as running_proxy:
        yield running_proxy


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Method and path of each route of the admin plane; a new one is here by itself."""
    return [(method, path) for method, path in routes(tmp_path_factory.mktemp("home")) if is_admin(path)]


def asked(proxy: RunningProxy, model: str = "one,main", **more: Any) -> httpx.Response:
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": " ".join(WORDS)}], **more}
    return CLIENTS.post(f"{proxy.url}/v1/messages", json=body, headers={"x-api-key": CLIENT})


def told(proxy: RunningProxy, method: str, path: str) -> tuple[httpx.Response, bytes]:
    """The answer of a route to who may ask it; of one without end its first event."""
    body = b"{}" if method == "POST" else b""
    headers = ADMIN | ({"content-type": "application/json"} if body else {})
    with CLIENTS.stream(method, proxy.url + path, headers=headers, content=body) as answer:
        if answer.headers["content-type"] == "text/event-stream":
            return answer, next(answer.iter_bytes())
        return answer, answer.read()


FOREIGN: Final[dict[str, dict[str, str]]] = {
    "a foreign origin": {**ADMIN, "origin": "https://evil.example"},
    "no origin at all": {**ADMIN, "origin": "null"},
    "a rebound host": {**ADMIN, "host": "evil.example"},
    "another site": {**ADMIN, "sec-fetch-site": "cross-site"},
    "another port of this machine": {**ADMIN, "sec-fetch-site": "same-site"},
    "no token": {},
    "a client's key": {"x-api-key": CLIENT, "authorization": f"Bearer {CLIENT}"},
    "a cookie": {"cookie": f"token={TOKEN}; authorization=Bearer {TOKEN}"},
    "a form": {**ADMIN, "content-type": "application/x-www-form-urlencoded"},
    "plain text": {**ADMIN, "content-type": "text/plain"},
}


@pytest.mark.parametrize("who", FOREIGN)
def test_whoever_is_foreign_reads_and_changes_nothing(
    proxy: RunningProxy, plane: list[tuple[str, str]], who: str
) -> None:
    before = CLIENTS.get(f"{proxy.url}/admin/overview", headers=ADMIN).json()
    assert len(plane) >= 6
    for method, path in plane:
        if who in {"a form", "plain text"} and method == "GET":
            continue
        headers = {"content-type": "application/json", **FOREIGN[who]}
        answer = CLIENTS.request(method, proxy.url + path, headers=headers, content=b"{}" if method == "POST" else b"")
        assert answer.status_code in {401, 403, 415}, (method, path)
        assert list(answer.json()) == ["error"]
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
    after = CLIENTS.get(f"{proxy.url}/admin/overview", headers=ADMIN).json()
    assert {name: after[name] for name in ("snapshot", "problems", "requests", "last_reload")} == {
        name: before[name] for name in ("snapshot", "problems", "requests", "last_reload")
    }


def test_no_answer_holds_a_key_a_token_or_the_words_of_a_prompt(
    proxy: RunningProxy, provider: Upstream, plane: list[tuple[str, str]]
) -> None:
    provider.script(Step(text="ok"), Step(status=400, text=f"{PROVIDER} said: {' '.join(WORDS)}"))
    assert asked(proxy, system=" ".join(WORDS)).status_code == 200
    for canary in CANARIES:
        tools = [{"name": canary, "description": canary, "input_schema": {"type": "object"}}]
        provider.script(Step(text="ok"))
        asked(proxy, f"one,{canary}", tools=tools, metadata={"user_id": canary})
        provider.script(Step(text="ok"))
        asked(proxy, canary, tools=tools)
        CLIENTS.post(f"{proxy.url}/v1/messages", json={"model": canary, "x": canary}, headers={"x-api-key": CLIENT})
    names = [each["id"] for each in CLIENTS.get(f"{proxy.url}/admin/requests", headers=ADMIN).json()["requests"]]
    assert len(names) >= 10
    found = []
    for method, path in plane:
        for whole in [path.replace("ID", name) for name in names] if "/ID" in path else [path]:
            answer, body = told(proxy, method, f"{whole}?q={TOKEN[:20]}" if whole == path else whole)
            text = (body.decode() + str(answer.headers)).lower()
            found += [(whole, canary[:14]) for canary in CANARIES if any(run in text for run in runs(canary))]
            found += [(whole, "words") for at in range(len(WORDS) - 7) if " ".join(WORDS[at : at + 8]) in text]
            found += [(whole, word) for word in WORDS if word in text]
    assert found == []


def runs(secret: str) -> list[str]:
    """Of the part that nobody could guess."""
    drawn = secret.rpartition("-")[2]
    return [drawn[at : at + 12] for at in range(len(drawn) - 11)]


def test_names_with_markup_are_json_strings_and_nothing_else(
    proxy: RunningProxy, provider: Upstream, plane: list[tuple[str, str]]
) -> None:
    for payload in PAYLOADS:
        ask = {"model": payload, "max_tokens": 9, "messages": [{"role": "user", "content": "go to plan mode"}]}
        headers = {"x-api-key": CLIENT, "x-claude-code-session-id": payload.encode().hex()[:100]}
        assert CLIENTS.post(f"{proxy.url}/v1/messages", json=ask, headers=headers).status_code in {200, 400, 404}
    listed = CLIENTS.get(f"{proxy.url}/admin/requests?limit=1000", headers=ADMIN)
    requested = {each["requested"] for each in listed.json()["requests"]}
    names = {payload for payload in PAYLOADS if is_name(payload)}  # what is none is a mark before anybody sees it
    assert len(names) > 80
    assert names <= requested
    for method, path in plane:
        answer, body = told(proxy, method, path)
        kind = answer.headers["content-type"]
        assert kind in {"application/json", "text/event-stream"}, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        if kind == "application/json":
            msgspec.json.decode(body)
        else:
            assert all(not line or line.startswith((b"event: ", b"data: ", b": ")) for line in body.split(b"\n"))


def test_it_is_guarded_and_there_while_the_proxy_stops(
    provider: Upstream, clean_env: dict[str, str], tmp_path: Path
) -> None:
    config = write_config(tmp_path, provider.url)
    config.write_text(SERVER + config.read_text())
    env = {**clean_env, "ONE_KEY": PROVIDER, "CLIENT": CLIENT, "ADMIN": TOKEN}
    with running(env, "--config", str(config)) as proxy:
        assert proxy.token == TOKEN
        proxy.process.send_signal(signal.SIGTERM)
        proxy.wait_for(event="stopping", stage="draining")
        assert CLIENTS.get(f"{proxy.url}/admin/overview").status_code == 401
        assert CLIENTS.get(f"{proxy.url}/admin/overview", headers=ADMIN).status_code == 200
        proxy.process.wait(20)
