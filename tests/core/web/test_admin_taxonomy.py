"""The taxonomy on the admin plane."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from configs import HERE
from proxy import RunningProxy, running

GOOD = "# Go local\nsynonyms:: stay at home, keep it here\nroute:: gone, x\nroute:: here, b\npriority:: 60\n"
TALK = "# Talk\nsynonyms:: speak of home\n"
BAD = "synonyms:: hi, hi\nroute:: here, c\n"


@pytest.fixture(scope="module")
def proxy(session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    folder = tmp_path_factory.mktemp("taxonomy")
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir()
    for name, text in (("go_local", GOOD), ("talk", TALK), ("<b>", BAD)):
        (folder / "taxonomy" / f"{name}.md").write_text(text)
    (folder / "c.toml").write_text(HERE)
    with running(session_env, "--config", str(folder / "c.toml")) as started:
        yield started


def get(proxy: RunningProxy) -> dict[str, Any]:
    answer = httpx.get(f"{proxy.url}/admin/taxonomy", headers=proxy.admin)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def match(proxy: RunningProxy, body: Any) -> httpx.Response:
    return httpx.post(f"{proxy.url}/admin/taxonomy/match", headers=proxy.admin, json=body)


def ask(proxy: RunningProxy, text: str) -> str:
    body = {"model": "auto", "max_tokens": 10, "messages": [{"role": "user", "content": text}]}
    return httpx.post(f"{proxy.url}/v1/messages", json=body).headers["x-terraphim-reason"]


def test_concepts_are_shown_and_counted_when_they_are_found(proxy: RunningProxy) -> None:
    assert ask(proxy, "please stay at home") == ask(proxy, "keep it here") == "concept:go_local"
    assert ask(proxy, "hello") == "default"
    httpx.post(f"{proxy.url}/v1/route", json={"messages": [{"role": "user", "content": "keep it here"}]})
    found = get(proxy)
    concepts = {concept["path"]: concept for concept in found["concepts"]}
    local = concepts["go_local.md"]
    assert (local["routes"], local["unrouted"], local["priority"]) == (["gone,x", "here,b"], ["gone,x"], 60)
    assert local["synonyms"] == ["go local", "stay at home", "keep it here"]
    assert (len(local["matches"]), sum(local["matches"]), local["total"], local["synonym_count"]) == (360, 2, 2, 3)
    assert local["last_ms"] > 1_700_000_000_000
    assert (concepts["talk.md"]["matches"], concepts["talk.md"]["total"]) == ([], 0)
    assert (found["patterns"], found["folder"].endswith("/taxonomy")) == (7, True)


def test_lint_says_what_the_command_says(proxy: RunningProxy) -> None:
    findings = {(finding["kind"], finding["file"], finding["line"]) for finding in get(proxy)["lint"]}
    assert {
        ("target", "go_local.md", 3),
        ("target", "<b>.md", 2),
        ("short", "<b>.md", 1),
        ("parse", "<b>.md", 1),
    } <= findings
    assert all(finding["message"] and finding["hint"] for finding in get(proxy)["lint"])


def test_a_text_is_matched_with_places_and_targets(proxy: RunningProxy) -> None:
    before = [concept["total"] for concept in get(proxy)["concepts"]]
    found = match(proxy, {"text": "speak of home: Stay  at home"}).json()["matches"]
    assert [(each["concept"], each["how"], each["target"], each["spans"]) for each in found] == [
        ("go_local", "pattern", "here,b", [[15, 28]]), ("talk", "pattern", None, [[0, 13]]),
    ]  # fmt: skip
    assert found[0]["score"] > 0
    assert [concept["total"] for concept in get(proxy)["concepts"]] == before, "to match counts nothing"
    assert match(proxy, {"text": ""}).json() == {"matches": []}


def test_a_huge_text_is_looked_at_from_both_ends(proxy: RunningProxy) -> None:
    text = "stay at home " + "x " * 600_000 + "keep it here"
    [found] = match(proxy, {"text": text}).json()["matches"]
    assert found["spans"] == [[0, 12], [len(text) - 12, len(text)]]


def test_what_is_no_text_is_refused(proxy: RunningProxy) -> None:
    bodies: tuple[Any, ...] = ({}, {"text": 5}, [], "x")
    for body in bodies:
        answer = match(proxy, body)
        assert (answer.status_code, "/admin/taxonomy/match" in answer.json()["error"]["message"]) == (400, True)
    answer = httpx.post(f"{proxy.url}/admin/taxonomy/match", headers=proxy.admin | {"content-type": "text/plain"})
    assert answer.status_code == 415
