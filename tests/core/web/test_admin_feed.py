"""What the running program says of what it answered."""

from typing import Any

import httpx
import msgspec
import pytest
from proxy import RunningProxy

WORDS = "please go to plan mode for the seventeen very secret blue boxes of mine"


def get(proxy: RunningProxy, path: str, status: int = 200) -> Any:
    answer = httpx.get(f"{proxy.url}/admin/{path}", headers=proxy.admin)
    assert answer.status_code == status, answer.text
    return answer.json()


def ask(proxy: RunningProxy, model: str = "auto", **more: Any) -> str:
    """The id of a request."""
    body = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": WORDS}], **more}
    return httpx.post(f"{proxy.url}/v1/messages", json=body).headers["x-terraphim-request-id"]


def test_a_request_is_listed_and_explained(embedded: RunningProxy) -> None:
    name = ask(embedded)
    [listed] = get(embedded, f"requests?q=id:{name}")["requests"]
    assert (listed["id"], listed["state"], listed["reason"], listed["status"]) == (
        name,
        "done",
        "concept:plan_mode",
        200,
    )
    assert listed["simulated"] is True
    shown = get(embedded, f"requests/{name}")
    assert shown["summary"] == listed
    assert shown["attempts"][0]["outcome"] == "ok"
    phases = {phase["phase"]: phase for phase in shown["explanation"]["phases"]}
    assert phases["pattern"]["outcome"] == "decided"
    assert phases["pattern"]["matches"][0]["concept"] == "plan_mode"
    assert shown["rules"][0]["rule"] == "wasm-demo"
    assert "secret blue" not in msgspec.json.encode(shown).decode()


def test_what_was_refused_is_listed_too_and_what_nobody_is_asked_for_is_not(embedded: RunningProxy) -> None:
    before = get(embedded, "overview")["requests"]
    failed = httpx.post(f"{embedded.url}/v1/messages", json={"model": "auto"})
    assert failed.status_code == 400
    newest = get(embedded, "requests?limit=1")["requests"][0]
    assert (newest["status"], newest["target"], newest["error"]) == (400, None, "invalid_request_error")
    body = {"model": "auto", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}
    for path in ("/v1/route", "/v1/messages/count_tokens"):
        assert httpx.post(embedded.url + path, json=body).status_code == 200
    assert get(embedded, "requests?limit=1")["requests"][0] == newest
    after = get(embedded, "overview")["requests"]
    assert (after["total"], after["errors"]) == (before["total"] + 1, before["errors"] + 1)


def test_page_by_page(embedded: RunningProxy) -> None:
    names = [ask(embedded) for _ in range(3)][::-1]
    first = get(embedded, "requests?limit=2")["requests"]
    assert [each["id"] for each in first] == names[:2]
    assert get(embedded, f"requests?limit=1&before={names[1]}")["requests"][0]["id"] == names[2]


def test_flow_and_series(embedded: RunningProxy) -> None:
    ask(embedded)
    for minutes in (5, 60, 1440):
        edges = get(embedded, f"flow?minutes={minutes}")["edges"]
        found = [edge for edge in edges if (edge["client"], edge["reason"]) == ("other", "concept:plan_mode")]
        assert [(edge["phase"], edge["count"] >= 1) for edge in found] == [("pattern", True)]
    shown = get(embedded, "series")
    columns = [value for name, value in shown.items() if name != "step_ms"]
    assert {len(column) for column in columns} == {360}
    assert sum(filter(None, shown["requests"])) >= 1


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("requests?limit=0", "1 to 1000"), ("requests?limit=1001", "1 to 1000"), ("requests?limit=-1", "1 to 1000"),
        ("requests?limit=x", "1 to 1000"), ("requests?limit=", "1 to 1000"), ("requests?limit=1e2", "1 to 1000"),
        ("requests?limit=%D9%A1", "1 to 1000"), ("requests?limit=999999999999999999999", "1 to 1000"),
        ("flow?minutes=7", "5, 60, 1440"), ("flow?minutes=1441", "1 to 1440"), ("series?minutes=61", "1 to 60"),
    ],
)  # fmt: skip
def test_what_may_be_asked_for_is_said(embedded: RunningProxy, path: str, said: str) -> None:
    assert said in get(embedded, path, 400)["error"]["message"]


def test_one_that_is_not_there_any_more(embedded: RunningProxy) -> None:
    said = get(embedded, "requests/req_gone", 404)["error"]["message"]
    assert "terraphim-proxy explain req_gone" in said
    assert "explain ID" in get(embedded, "requests/%1b%5b2J", 404)["error"]["message"]
