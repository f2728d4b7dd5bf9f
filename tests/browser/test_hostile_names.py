"""Markup and script in prompts, in names of models, concepts and files, in what a rule says: text on every view."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import tomli_w
from browsing import Visit, chromium, visiting
from playwright.sync_api import Browser, expect
from proxy import RunningProxy, running
from upstream import Upstream
from wasm_modules import answering
from xss_payloads import PAYLOADS

#: The whole decision of the request that is open.
PHASES: Final = '.detail[aria-label="Request ID"] .phases'
HERE: Final = Path(__file__).parent
#: What payloads call; the console's errors are what a visit must not have.
PWN: Final = "window.pwn = (...what) => { console.error(`pwned ${what}`); };"
#: Elements and attributes of the document that are not the page's.
STRANGE: Final = (HERE / "strange.js").read_text("utf-8")
#: Goes to each place, lets the page draw, and gives what is strange there.
WALK: Final = (HERE / "walk.js").read_text("utf-8").replace("STRANGE", STRANGE.rstrip().rstrip(";"))
#: What a page that made markup of text would do.
ATTEMPTS: Final = (HERE / "attempts.js").read_text("utf-8")


def named(payload: str) -> str:
    """The payload as a file's name, as far as it can be one."""
    return re.sub(r"[/\0]", "", payload).encode("utf-8", "replace")[:200].decode("utf-8", "ignore")


def taxonomy(folder: Path, routes: list[str]) -> None:
    """A concept a payload: its file's name, title and a directive that nobody knows."""
    for number, payload in enumerate(PAYLOADS):
        line = re.sub(r"\s", " ", payload)
        text = f"# {line}\n\nsynonyms:: phrase{number}x, {line}\nroute:: {routes[number % len(routes)]}\n{line}:: x\n"
        (folder / f"{named(payload) or number}.md").write_text(text, "utf-8", "replace")


def configuration(folder: Path, url: str) -> Path:
    """Targets with hostile names, a hostile taxonomy, a rule on trial that gives a hostile reason."""
    models = [payload for payload in PAYLOADS if payload.isprintable() and payload.strip() == payload][:40]
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir()
    taxonomy(folder / "taxonomy", [f"one, {model}" for model in models])
    reason = json.dumps({"route": f"one,{models[1]}", "reason": models[0], "tags": {"a": models[2]}})
    (folder / "plugins" / "hostile.wat").write_text(answering(reason))
    config: dict[str, Any] = {
        "providers": {
            "one": {"dialect": "anthropic", "base_url": url, "allow_private": True, "api_key": {"env": "ONE_KEY"}}
            | {"models": {"main": {}} | {model: {} for model in models}}
        },
        "routing": {"default": "one,main"},
        "plugins": {"dir": "plugins"},
        "taxonomy": {"dir": "taxonomy"},
        "rules": {"hostile": {"mode": "shadow"}},
    }
    path = folder / "config.toml"
    path.write_text(tomli_w.dumps(config), "utf-8")
    return path


@pytest.fixture(scope="module")
def hostile(
    fake: Upstream, session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    folder = tmp_path_factory.mktemp("hostile")
    config = configuration(folder, fake.url)
    with running({**session_env, "ONE_KEY": "k"}, "--config", str(config)) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def asked(hostile: RunningProxy) -> list[str]:
    """The ids of a request a payload, which is its model, its prompt, and a concept that it speaks of."""
    ids = []
    with httpx.Client(base_url=hostile.url) as http:
        for number, payload in enumerate(PAYLOADS):
            content = f"phrase{number}x {payload}"
            body = {"model": payload, "max_tokens": 9, "messages": [{"role": "user", "content": content}]}
            answer = http.post("/v1/messages", json=body, headers={"user-agent": ascii(payload)})
            ids.append(answer.headers["x-terraphim-request-id"])
    return ids


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def visit(browser: Browser, hostile: RunningProxy, asked: list[str]) -> Iterator[Visit]:
    with visiting(browser, hostile, script=PWN) as visit:
        expect(visit.page.get_by_text(f"{len(asked)} kept")).to_be_visible()
        yield visit


def walk(visit: Visit, places: list[str], selector: str = "") -> list[str]:
    return list(visit.page.evaluate(WALK, [places, selector]))


def test_there_are_enough_of_them() -> None:
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 200


def test_a_script_that_runs_would_be_seen(browser: Browser, hostile: RunningProxy) -> None:
    """The page's policy stops a payload even if it became markup; that it tried is seen, and the element too."""
    with visiting(browser, hostile, script=PWN) as visit:
        visit.wanted += ["violation of", "Content Security Policy", "pwned", "requires 'Trusted"]
        tried = visit.page.evaluate(ATTEMPTS)
        assert tried == ["TypeError", "TypeError", "TypeError", "made"]
        assert visit.page.evaluate(STRANGE) == ["<x-pwn></x-pwn>"]
        assert any("violation of require-trusted-types-for" in problem for problem in visit.problems)
        visit.page.evaluate("pwn('by the test')")
        assert any("pwned by the test" in problem for problem in visit.problems)


def test_every_row_shows_its_name_as_text(visit: Visit) -> None:
    page, seen = visit.page, set()
    visit.go("#/live")
    rows = page.locator(".rows")
    for top in range(0, len(PAYLOADS) * 34, 500):
        rows.evaluate("(box, top) => { box.scrollTop = top; }", top)
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        seen |= set(page.locator("tr[aria-rowindex] button").all_text_contents())
        assert page.evaluate(STRANGE) == []
    # A name with words in it may be somebody's text: the feed shows its digest instead, the rest as it is.
    assert len(seen & set(PAYLOADS)) > 60
    assert len(seen) >= len(PAYLOADS) - 5  # control characters may be cut
    assert visit.unwanted() == []


def test_whatever_the_admin_plane_says_is_text(visit: Visit) -> None:
    """Each payload as each text of a summary, of the whole decision and of the flow, past what the feed cuts."""
    page = visit.page
    page.route("**/admin/flow?*", lambda route: route.fulfill(json=_flow()))
    page.route("**/admin/requests/made_*", lambda route: route.fulfill(json=_whole(route.request.url)))
    page.evaluate(
        (HERE / "keep.js").read_text("utf-8"), [summary(number, payload) for number, payload in enumerate(PAYLOADS)]
    )
    assert walk(visit, [f"#/live/made_{number}" for number in range(0, len(PAYLOADS), 4)], PHASES) == []
    with page.expect_response("**/admin/flow?*"):
        visit.go("#/flow")
    expect(page.locator(".flow ~ .card tbody tr").first).to_be_visible()
    assert page.locator(".nodes text").count() > 30
    assert page.evaluate(STRANGE) == []
    page.unroute_all()
    assert visit.unwanted() == []


def summary(number: int, payload: str) -> dict[str, Any]:
    """A request whose every text is the payload."""
    names = ("endpoint", "client", "agent", "class", "session", "requested", "target", "answered_by", "phase", "reason")
    return dict.fromkeys((*names, "error", "cache", "snapshot"), payload) | {
        "id": f"made_{number}",
        "at_ms": 2_000_000_000_000 + number,
        "status": 200,
        "stream": True,
        "state": "done",
        "tokens": {"input": 1, "output": 1, "cache_read": 0, "cache_write": 0},
        "cost_micro_usd": 1,
        "ms": 2.0,
        "attempts": 2,
        "simulated": True,
    }


def _whole(url: str) -> dict[str, Any]:
    number = int(url.rpartition("_")[2])
    payload = PAYLOADS[number]
    step = {"phase": "gate", "outcome": payload, "detail": {"target": payload, "why": [payload], payload: payload}}
    rule = {
        "rule": payload,
        "asked": True,
        "outcome": payload,
        "route": payload,
        "reason": payload,
        "fuel": 1,
        "micros": 1,
    }
    rule["micros"] = 1
    match: dict[str, Any] = {"concept": payload, "path": payload, "how": payload, "score": 1, "priority": 1}
    match["spans"] = [{"start": 0, "end": 1, "words": payload}]
    phase = {"phase": payload, "outcome": payload, "why": payload, "looked_at": {payload: payload}, "steps": [step]}
    expected = {"cached_tokens": 1, "micro_usd": 1, "most_micro_usd": 1}
    candidate = {"target": payload, "tokens": 1, "max_tokens": 1, "drop_thinking": True, "unverified": [payload]}
    return {
        "summary": summary(number, payload),
        "attempts": [{"target": payload, "outcome": payload, "ms": 1.0, "key": payload}],
        "passed_over": [[payload, payload]],
        "timings": {"decided_ms": 0.1, "first_ms": 1.0, "ms": 2.0},
        "explanation": {
            "decision": {"phase": payload, "candidates": [candidate | {"expected": expected}]},
            "phases": [phase | {"rules": [rule], "matches": [match]}],
        },
    }


def _flow() -> dict[str, Any]:
    names = ("client", "phase", "reason", "target")
    figures = {"count": 2, "errors": 1, "cost_micro_usd": 5, "tokens": 7}
    return {"edges": [dict.fromkeys(names, payload) | figures for payload in PAYLOADS], "from_ms": 0, "to_ms": 1}


def test_every_request_is_told_as_text(visit: Visit, asked: list[str]) -> None:
    assert walk(visit, [f"#/live/{each}" for each in asked[::6]], PHASES) == []
    assert visit.unwanted() == []


def test_every_payload_is_a_filter_and_a_place(visit: Visit) -> None:
    page = visit.page
    encoded = page.evaluate("(all) => all.map(encodeURIComponent)", [each for each in PAYLOADS if each.isprintable()])
    assert walk(visit, [f"#/live?q={each}" for each in encoded[::4]]) == []
    assert walk(visit, [f"#/{each}" for each in encoded[::6]]) == []
    visit.wanted.append("404")
    assert walk(visit, [f"#/live/{each}" for each in encoded[1::12]], ".detail .notice") == []
    assert visit.unwanted() == []


def test_every_view_is_text(visit: Visit) -> None:
    visit.go("#/live")
    places = visit.page.locator("nav a").evaluate_all("(links) => links.map((link) => link.getAttribute('href'))")
    assert len(places) >= 3
    for place in places:
        if place != "#/live":  # which has all it shows; the others ask when they are opened
            with visit.page.expect_response("**/admin/**"):
                visit.go(place)
        assert walk(visit, [place]) == []
        for field in visit.page.locator("main textarea, main input[type=text], main input:not([type])").all():
            if not field.is_visible():
                continue
            field.fill("\n".join(PAYLOADS))
            assert walk(visit, [place]) == []
    assert visit.unwanted() == []
