"""The playground: decisions as somebody types them, and rules that are tried on them."""

import base64
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from configs import HERE
from facts import ROOT
from proxy import RunningProxy, running
from wasm_modules import answering, seeing
from wasm_modules import running as running_rule

from wasm_host.breaker import FAULTS

CONCEPT = "# Go local\nsynonyms:: stay at home\nroute:: here, b\n"
#: Routes whoever asks for the model `pick`; sees the text of nobody.
PICK = (ROOT / "plugins" / "wasm-demo.wat").read_text()
KEY = "client-key-0123456789abcdef"
TABLES = '[server]\nkeys = [{ name = "narrow", key = { env = "NARROW" }, targets = ["here,b"] }]\n'
HOSTILE = ROOT / "wasm_host" / "conformance" / "hostile"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("playground")
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir()
    (folder / "taxonomy" / "go_local.md").write_text(CONCEPT)
    (folder / "plugins" / "quiet.wat").write_text(running_rule("(i64.const 0)"))
    (folder / "c.toml").write_text(TABLES + HERE)
    return folder


@pytest.fixture(scope="module")
def proxy(folder: Path, session_env: dict[str, str]) -> Iterator[RunningProxy]:
    with running({**session_env, "NARROW": KEY}, "--config", str(folder / "c.toml")) as started:
        yield started


def message(text: str = "hello", **more: Any) -> dict[str, Any]:
    return {"model": "auto", "max_tokens": 10, "messages": [{"role": "user", "content": text}], **more}


def post(proxy: RunningProxy, request: Any, **wish: Any) -> httpx.Response:
    return httpx.post(f"{proxy.url}/admin/route", headers=proxy.admin, json={"request": request, **wish})


def decide(proxy: RunningProxy, request: Any, **wish: Any) -> dict[str, Any]:
    answer = post(proxy, request, **wish)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def rule(text: str | bytes, name: str = "tried.wat", **more: Any) -> dict[str, Any]:
    data = text.encode() if isinstance(text, str) else text
    return {"name": name, "data": base64.b64encode(data).decode(), "manifest": "", **more}


def tried(proxy: RunningProxy, request: Any, **candidate: Any) -> dict[str, Any]:
    found: dict[str, Any] = decide(proxy, request, candidate=rule(**candidate))["candidate"]
    return found


def plain(explanation: dict[str, Any]) -> dict[str, Any]:
    """Without what is another each time: the moment, the request's own bits, and how long rules took."""
    for name in ("now_ms", "seed"):
        explanation["features"].pop(name)
    for phase in explanation["phases"]:
        for each in phase.get("rules", ()):
            each.pop("micros", None)
            each.pop("shown", None)
        for step in phase["steps"]:
            step["detail"].pop("micros", None)
    for step in explanation["trace"]:
        step["detail"].pop("micros", None)
    return explanation


@pytest.mark.parametrize(
    ("request_body", "headers"),
    [
        (message(), {}),
        (message("please stay at home"), {}),
        (message(model="here,b"), {}),
        (message(system="x", metadata={"user_id": "user_1_account__session_abc"}), {"anthropic-version": "2023-06-01"}),
        (message(thinking={"type": "enabled", "budget_tokens": 2048}), {"user-agent": "claude-cli/2.0"}),
        ({"model": "auto", "input": "stay at home"}, {}),
        (message(model="nobody,x"), {}),
    ],
)
def test_a_request_is_decided_as_it_would_be(
    proxy: RunningProxy, request_body: dict[str, Any], headers: dict[str, str]
) -> None:
    real = httpx.post(f"{proxy.url}/v1/route", json=request_body, headers={"x-api-key": KEY, **headers}).json()
    found = decide(proxy, request_body, headers={"user-agent": "python-httpx", **headers}, client="narrow")
    assert found["candidate"] is None
    assert found["text"] == (request_body.get("input") or request_body["messages"][0]["content"])
    assert found["micros"] > 0
    agent = real["features"].pop("agent")
    assert plain(found["explanation"])["features"].pop("agent") == agent or "user-agent" not in headers
    assert found["explanation"] == plain(real)


def test_who_asks_without_a_name_may_ask_everybody(proxy: RunningProxy) -> None:
    assert decide(proxy, message())["explanation"]["decision"]["model"] == "a"
    assert decide(proxy, message(), client="narrow")["explanation"]["decision"]["refusal"]["status"] == 403
    answer = post(proxy, message(), client="nobody")
    assert (answer.status_code, "there are: narrow" in answer.json()["error"]["message"]) == (400, True)


def test_the_dialect_may_be_said(proxy: RunningProxy) -> None:
    assert decide(proxy, message(), dialect="anthropic")["explanation"]["features"]["dialect"] == "anthropic"
    assert decide(proxy, message())["explanation"]["features"]["dialect"] == "openai"
    assert post(proxy, message(), dialect="latin").status_code == 400


def test_deciding_changes_nothing_and_counts_nothing(proxy: RunningProxy) -> None:
    names = (
        "terraphim_requests_total", "terraphim_decisions_total", "terraphim_rule_outcomes_total",
        "terraphim_session_reads_total",
    )  # fmt: skip

    def counted() -> list[str]:
        text = httpx.get(f"{proxy.url}/metrics").text
        return sorted(line for line in text.splitlines() if line.startswith(names))

    body = message("please stay at home", metadata={"user_id": "session-of-mine"})
    before, decided = counted(), len(proxy.log(event="request"))
    for _ in range(3):
        found = decide(proxy, body, candidate=rule(answering('{"route":"here,a"}')))
        assert found["explanation"]["session"]["turns"] == 0
    after = [line for line in counted() if "/admin" not in line]
    assert after == [line for line in before if "/admin" not in line]
    assert len(proxy.log(event="request")) == decided
    concepts = httpx.get(f"{proxy.url}/admin/taxonomy", headers=proxy.admin).json()["concepts"]
    assert [concept["total"] for concept in concepts] == [0]


@pytest.mark.parametrize("bad", [None, [], "x", 5, {}, {"messages": 5}, {"input": {}}])
def test_what_is_no_request_is_said(proxy: RunningProxy, bad: Any) -> None:
    answer = post(proxy, bad)
    assert (answer.status_code, bool(answer.json()["error"]["message"])) == (400, True)
    assert httpx.post(f"{proxy.url}/admin/route", headers=proxy.admin, content=b"{", timeout=20).status_code == 415
    assert httpx.post(f"{proxy.url}/admin/route", headers=proxy.admin, json={}).status_code == 400


def test_a_candidate_says_what_it_would_do(proxy: RunningProxy) -> None:
    found = tried(proxy, message(), text=answering('{"route":"here,b","reason":"why","score":700}'), name="My rule.wat")
    assert (found["ok"], found["problem"], found["name"], found["asked"]) == (True, "", "my-rule", True)
    assert (found["would"], found["differs"], len(found["sha256"]), found["size"] > 0) == ("here,b", True, 64, True)
    said = found["outcome"]
    assert (said["code"], said["route"], said["reason"], said["score"]) == ("route", "here,b", "why", 700)
    assert said["fuel"] > 0
    assert said["micros"] >= 0
    same = tried(proxy, message(), text=answering('{"route":"here,a"}'))
    assert (same["would"], same["differs"]) == ("here,a", False)
    passes = tried(proxy, message(), text=running_rule("(i64.const 0)"))
    assert (passes["outcome"]["code"], passes["would"], passes["differs"]) == ("abstain", "here,a", False)


def test_a_candidate_that_is_not_asked_says_what_it_would_have_said(proxy: RunningProxy) -> None:
    found = tried(proxy, message(model="here,a"), text=answering('{"route":"here,b"}'))
    assert (found["asked"], found["why"]) == (False, "the explicit phase decided before")
    assert (found["outcome"]["route"], found["would"], found["differs"]) == ("here,b", "here,a", False)


def test_a_candidate_sees_text_only_where_somebody_ticked_it(proxy: RunningProxy) -> None:
    manifest = 'input = ["request.last_user", "request.model"]'
    words = "the words of the user"
    without = tried(proxy, message(words), text=seeing(), manifest=manifest)
    assert (without["ungranted"], words in without["logs"]) == (["request.last_user"], False)
    assert '"model"' in without["logs"]
    granted = tried(proxy, message(words), text=seeing(), manifest=manifest, grants=["request.last_user"])
    assert (granted["ungranted"], words in granted["logs"]) == ([], True)
    assert "request.last_user" in granted["subscribes"]
    system = {"text": seeing(), "manifest": 'input = ["request.system"]', "grants": ["request.system"]}
    assert words in tried(proxy, message(system=words), **system)["logs"], "no rule that serves wants that"


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        ({"text": "(module"}, "expected"),
        ({"text": b"\0asm\1\0\0\0", "name": "a.wasm"}, "does not export"),
        ({"text": b"MZ\x90", "name": "a.wasm"}, "not a WebAssembly module"),
        ({"text": PICK, "name": "a.dll"}, "a rule's file ends in"),
        ({"text": PICK, "manifest": "= no toml"}, "no TOML"),
        ({"text": PICK, "grants": ["everything"]}, "no field of the request"),
        ({"text": running_rule("(unreachable)")}, "unreachable"),
        ({"text": answering('{"route":"nobody,x"}')}, "not a configured target"),
        ({"text": answering("no json")}, "not JSON"),
        ({"text": answering('{"deny":{"status":403,"message":"no"}}')}, "deny"),
    ],
)
def test_what_is_wrong_with_a_candidate_is_its_problem(
    proxy: RunningProxy, candidate: dict[str, Any], words: str
) -> None:
    found = tried(proxy, message(), **candidate)
    assert (found["ok"], words in found["problem"], found["differs"]) == (False, True, False), found


def test_hostile_modules_are_held_and_the_proxy_serves_on(proxy: RunningProxy) -> None:
    """Loops, bombs and traps: each gets an answer, and requests beside them, too."""
    for path in (HOSTILE / f"{name}.wat" for name in ("log_loop", "loop_alloc", "recursion_fat", "length_4g")):
        found = tried(proxy, message(), text=path.read_text(), name=path.name)
        assert isinstance(found["ok"], bool), path.name
        assert found["ok"] or found["problem"], path.name
        assert httpx.post(f"{proxy.url}/v1/route", json=message(), headers={"x-api-key": KEY}).status_code == 200
    endless = tried(proxy, message(), text=running_rule("(loop $l (br $l)) (i64.const 0)"))
    assert (endless["ok"], endless["outcome"]["code"] in ("fuel", "timeout")) == (False, True)
    assert tried(proxy, message(), text=answering('{"route":"here,b"}'))["ok"]


def test_a_bomb_for_the_compiler_is_refused(proxy: RunningProxy) -> None:
    body = "(drop (i32.add (i32.const 1) (i32.const 2)))" * 100_000
    found = tried(proxy, message(), text=running_rule(f"{body} (i64.const 0)"))
    assert (found["ok"], bool(found["problem"]), found["outcome"]) == (False, True, None)


def test_a_candidate_stands_in_for_the_rule_of_its_name(proxy: RunningProxy) -> None:
    found = tried(proxy, message(), text=answering('{"route":"here,b"}'), name="quiet.wat")
    assert (found["asked"], found["would"], found["differs"]) == (True, "here,b", True)
    assert found["outcome"]["code"] == "route", "that is the candidate's, not the other's of its name"
    phases = {phase["phase"]: phase for phase in decide(proxy, message())["explanation"]["phases"]}
    assert [each["rule"] for each in phases["custom"]["rules"]] == ["quiet"], "and leaves no trace"
    assert not list((Path(proxy.process.args[-1]).parent / "plugins").glob("tried*"))  # type: ignore[index,arg-type]


def test_bad_base64_and_wrong_shapes_are_the_requests_fault(proxy: RunningProxy) -> None:
    wrong: tuple[Any, ...] = ({"name": "a.wat", "data": "***"}, {"name": 5, "data": ""}, {"data": ""}, [], "x")
    for candidate in wrong:
        assert post(proxy, message(), candidate=candidate).status_code == 400


def test_many_at_once_are_served_or_told_to_wait(proxy: RunningProxy) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: post(proxy, message(f"number {n}")).status_code, range(40)))
    assert set(answers) <= {200, 429}
    assert answers.count(200) >= 8
    assert post(proxy, message()).status_code == 200


def test_workers_that_die_are_replaced(proxy: RunningProxy) -> None:
    """The playground's own: the proxy's other children serve traffic, and are as they were."""
    before = children(proxy)
    assert tried(proxy, message(), text=answering('{"route":"here,b"}'))["ok"]
    served = httpx.get(f"{proxy.url}/admin/rules", headers=proxy.admin).json()["workers"]
    for pid in children(proxy) - before or children(proxy):
        os.kill(pid, signal.SIGKILL)
    assert tried(proxy, message(), text=answering('{"route":"here,b"}'))["outcome"]["code"] in ("route", "crash")
    assert tried(proxy, message(), text=answering('{"route":"here,b"}'))["ok"]
    assert served == 2


def children(proxy: RunningProxy) -> set[int]:
    task = Path(f"/proc/{proxy.process.pid}/task")
    found: set[int] = set()
    for thread in task.iterdir():
        found |= set(map(int, (thread / "children").read_text().split()))
    return found


def test_breakers_are_seen_and_not_touched(tmp_path: Path, clean_env: dict[str, str]) -> None:
    """A rule that fails in the playground is asked on; one that traffic has closed off is left alone here, too."""
    for name in ("plugins", "taxonomy"):
        (tmp_path / name).mkdir()
    (tmp_path / "plugins" / "trips.wat").write_text(running_rule("(unreachable)"))
    (tmp_path / "c.toml").write_text(HERE)

    def breaker() -> str:
        [row] = httpx.get(f"{own.url}/admin/rules", headers=own.admin).json()["rules"]
        return str(row["breaker"])

    def said() -> str:
        phases = {phase["phase"]: phase for phase in decide(own, message())["explanation"]["phases"]}
        return str(phases["custom"]["rules"][0]["outcome"])

    with running(clean_env, "--config", str(tmp_path / "c.toml")) as own:
        assert [said() for _ in range(FAULTS + 1)] == ["trap"] * (FAULTS + 1)
        assert breaker() == "closed"
        for _ in range(FAULTS):
            httpx.post(f"{own.url}/v1/messages", json=message()).raise_for_status()
        assert (breaker(), said(), breaker()) == ("open", "skipped", "open")
