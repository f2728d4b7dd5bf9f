"""The page as its reader sees it while the official SDKs ask: the list, its filter, one request, keyboard, sizes."""

import re
from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest
from anthropic.types import UserMessageParam
from browsing import Visit, chromium, visiting
from playwright.sync_api import Browser, Locator, Page, expect
from proxy import RunningProxy
from readable import faint, nameless


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def window(browser: Browser, embedded: RunningProxy) -> Iterator[Visit]:
    """One window for the module: opening one costs seconds on a busy machine."""
    with visiting(browser, embedded) as visit:
        yield visit


@pytest.fixture
def visit(window: Visit) -> Iterator[Visit]:
    """The page as it is when it was just opened."""
    window.page.mouse.move(5, 5)
    window.page.goto("about:blank")
    window.page.goto(f"{window.origin}/ui#/live")
    expect(window.page.locator(".link")).to_have_text("live")
    yield window
    assert window.unwanted() == []


def ask_claude(proxy: RunningProxy, model: str, text: str = "hello") -> str:
    """The id of a request with Anthropic's SDK."""
    with anthropic.Anthropic(base_url=proxy.url, api_key="none-needed", max_retries=0) as sdk:
        messages = sdk.messages.with_raw_response
        answer = messages.create(model=model, max_tokens=50, messages=[{"role": "user", "content": text}])
        answer.parse()
        return str(answer.headers["x-terraphim-request-id"])


def stream_claude(proxy: RunningProxy, model: str) -> str:
    """The same, streamed."""
    with anthropic.Anthropic(base_url=proxy.url, api_key="none-needed", max_retries=0) as sdk:
        messages = [UserMessageParam(role="user", content="hello")]
        with sdk.messages.stream(model=model, max_tokens=50, messages=messages) as stream:
            stream.until_done()
            return str(stream.response.headers["x-terraphim-request-id"])


def ask_gpt(proxy: RunningProxy, model: str, text: str = "hello") -> str:
    """The id of a request with OpenAI's SDK."""
    with openai.OpenAI(base_url=f"{proxy.url}/v1", api_key="none-needed", max_retries=0) as sdk:
        answer = sdk.chat.completions.with_raw_response.create(
            model=model, messages=[{"role": "user", "content": text}]
        )
        answer.parse()
        return str(answer.headers["x-terraphim-request-id"])


def script(name: str) -> str:
    return (Path(__file__).parent / name).read_text("utf-8")


def row(page: Page, request_id: str) -> Locator:
    return page.locator("tr[aria-rowindex]", has=page.locator(f'button[title="{request_id}"]'))


def test_the_list_grows_while_sdks_ask(visit: Visit, embedded: RunningProxy) -> None:
    page = visit.page
    expect(page.locator(".link")).to_have_text("live")
    first = stream_claude(embedded, "claude-haiku-4-5")
    expect(row(page, first)).to_contain_text("claude-haiku-4-5")
    expect(row(page, first).locator(".c-phase")).to_have_text("runtime")
    expect(row(page, first).locator(".c-reason")).to_have_text("background")
    expect(row(page, first).locator(".c-status")).to_have_text("200")
    second = ask_gpt(embedded, "auto", "I want to go to plan mode")
    expect(row(page, second).locator(".c-reason")).to_have_text("concept:plan_mode")
    expect(row(page, second).locator(".c-to")).to_have_text("deepseek,deepseek-reasoner")
    expect(row(page, second).locator(".c-ms")).to_have_text(re.compile(r"[\d.]+ (ms|s)"))
    expect(page.locator("tr[aria-rowindex='2'] button")).to_have_attribute("title", second)


def test_what_was_before_is_there_and_the_link_keeps_no_token(
    browser: Browser, embedded: RunningProxy, visit: Visit
) -> None:
    before = ask_claude(embedded, "before-the-page")
    with visiting(browser, embedded) as later:
        expect(row(later.page, before)).to_contain_text("before-the-page")
        assert embedded.token not in later.page.url
        assert later.page.evaluate("history.length") <= 3
        later.page.go_back()
        assert embedded.token not in later.page.url
        later.page.go_forward()
        expect(row(later.page, before)).to_contain_text("before-the-page")
        assert all(embedded.token not in url for url in later.requests)
        assert later.page.evaluate("document.cookie + JSON.stringify(localStorage)") == "{}"


def test_without_a_token_it_asks_for_one(browser: Browser, embedded: RunningProxy) -> None:
    with visiting(browser, embedded, token=False) as visit:
        visit.wanted.append("401")
        field = visit.page.get_by_label("Admin token")
        field.fill("wrong")
        field.press("Enter")
        expect(visit.page.get_by_role("alert")).to_be_visible()
        field.fill(embedded.token)
        field.press("Enter")
        expect(visit.page.locator(".link")).to_have_text("live")
        expect(visit.page.get_by_role("heading", level=1)).to_have_text("Requests")


def test_the_link_may_be_pasted_where_the_page_is_already(browser: Browser, embedded: RunningProxy) -> None:
    """Then nothing is loaded: only what stands behind the # changes."""
    paste = """async (token) => {
      location.hash = `token=${token}`;
      for (let frame = 0; frame < 4; frame += 1) await new Promise(requestAnimationFrame);
    }"""
    with visiting(browser, embedded, token=False) as visit:
        expect(visit.page.get_by_label("Admin token")).to_be_visible()
        for _ in range(2):
            visit.page.evaluate(paste, embedded.token)
            expect(visit.page.locator(".link")).to_have_text("live")
            assert visit.page.url == f"{embedded.url}/ui#/live"
        visit.page.go_back()
        assert embedded.token not in visit.page.url


def test_what_cannot_be_a_token_is_told_so(browser: Browser, embedded: RunningProxy) -> None:
    with visiting(browser, embedded, "#token=%zz%F6", token=False) as visit:
        visit.wanted.append("401")
        field = visit.page.get_by_label("Admin token")
        field.fill("tökén")
        field.press("Enter")
        expect(visit.page.get_by_role("alert")).to_contain_text("This is no token")


def test_a_view_that_is_opened_out_of_sight_is_not_empty(browser: Browser, embedded: RunningProxy) -> None:
    asked = ask_claude(embedded, "out-of-sight")
    hidden = "Object.defineProperty(document, 'hidden', { get: () => true });"
    with visiting(browser, embedded, f"#/live/{asked}", script=hidden) as visit:
        expect(visit.page.locator(".candidates")).to_be_visible()


def test_rows_that_vanish_under_the_pointer_are_not_read_for_ever(visit: Visit, embedded: RunningProxy) -> None:
    page = visit.page
    first = ask_claude(embedded, "hovered")
    row(page, first).hover()
    expect(page.get_by_role("button", name="Still: under the pointer")).to_be_visible()
    page.get_by_label("Filter requests").fill("status:999")
    expect(page.get_by_text("No request fits this filter.")).to_be_visible()
    page.mouse.move(5, 5)
    page.get_by_label("Filter requests").fill("")
    expect(row(page, first)).to_be_visible()
    expect(row(page, ask_claude(embedded, "the-next-one"))).to_be_visible()


def test_the_filter_keeps_what_has_all_words(visit: Visit, embedded: RunningProxy) -> None:
    page = visit.page
    rare, other = ask_claude(embedded, "rare-model"), ask_claude(embedded, "claude-haiku-4-5")
    expect(row(page, other)).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("Filter requests")).to_be_focused()
    page.keyboard.type("rare-model phase:default")
    expect(row(page, other)).to_have_count(0)
    expect(row(page, rare)).to_be_visible()
    assert "q=rare-model+phase%3Adefault" in page.url
    more = ask_claude(embedded, "rare-model")
    expect(row(page, more)).to_be_visible()
    page.keyboard.type(" status:500")
    expect(page.get_by_text("No request fits this filter.")).to_be_visible()


def test_one_request_shows_every_phase(visit: Visit, embedded: RunningProxy) -> None:
    page = visit.page
    asked = ask_claude(embedded, "auto", "Use claude opus for this refactoring.")
    row(page, asked).locator("button").click()
    detail = page.get_by_role("complementary", name=f"Request {asked}")
    expect(detail.locator(".route")).to_have_text("auto→anthropic,claude-opus-4-5")
    phases = detail.locator(".phase")
    expect(phases).to_have_count(7)
    expect(phases.nth(3)).to_contain_text("decided")
    expect(phases.nth(3)).to_contain_text("use_opus")
    expect(phases.nth(2)).to_contain_text(re.compile(r"wasm-demo\s*abstain.*fuel", re.DOTALL))
    expect(phases.nth(4)).to_contain_text("not reached")
    expect(detail.locator(".attempts li")).to_contain_text("ok")
    expect(detail.locator(".candidates tbody tr")).to_have_count(3)
    expect(detail.locator(".timing")).to_contain_text("decided")
    assert "refactoring" not in detail.inner_text()


def test_a_request_that_is_not_kept_says_where_to_look(browser: Browser, embedded: RunningProxy) -> None:
    with visiting(browser, embedded, "#/live/req_0123456789abcdef") as visit:
        visit.wanted.append("404")
        expect(visit.page.get_by_role("alert")).to_contain_text("explain")


def test_the_keyboard_is_enough(visit: Visit, embedded: RunningProxy) -> None:
    page = visit.page
    older, newer = ask_claude(embedded, "older"), ask_claude(embedded, "newer")
    expect(row(page, newer)).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name=f"Request {newer}")).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_role("complementary", name=f"Request {older}")).to_be_visible()
    page.keyboard.press("k")
    expect(page.get_by_role("complementary", name=f"Request {newer}")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".detail")).to_have_count(0)
    page.keyboard.press("Tab")
    for _ in range(30):
        name = page.evaluate("document.activeElement.textContent")
        if name == "Flow":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Flow")


def test_the_list_stands_still_under_the_pointer(visit: Visit, embedded: RunningProxy) -> None:
    page = visit.page
    first = ask_claude(embedded, "first")
    expect(row(page, first)).to_be_visible()
    row(page, first).hover()
    place = row(page, first).bounding_box()
    second = ask_claude(embedded, "second")
    expect(page.get_by_role("button", name="1 new, show")).to_be_visible()
    assert row(page, first).bounding_box() == place
    assert row(page, second).count() == 0
    page.mouse.move(5, 5)
    expect(row(page, second)).to_be_visible()


def test_a_thousand_requests_are_thirty_rows(visit: Visit, embedded: RunningProxy) -> None:
    page = visit.page
    expect(page.locator(".link")).to_have_text("live")
    page.evaluate(script("thousands.js"))
    expect(page.get_by_text("1,000 kept")).to_be_visible()
    expect(page.locator('button[title="made_2999"]')).to_be_visible()
    assert page.locator("tr[aria-rowindex]").count() < 60
    page.locator(".rows").focus()
    page.keyboard.press("End")
    expect(page.locator('button[title="made_2000"]')).to_be_visible()
    assert page.locator("tr[aria-rowindex]").count() < 60


@pytest.mark.parametrize("place", ["#/live", "#/flow", "#/plots"])
def test_nothing_is_wider_than_a_phone(browser: Browser, embedded: RunningProxy, place: str) -> None:
    asked = ask_claude(embedded, "auto", "I want to go to plan mode")
    with visiting(browser, embedded, place, viewport={"width": 375, "height": 740}) as visit:
        visit.page.locator("main > :last-child").wait_for()
        assert visit.page.evaluate("document.documentElement.scrollWidth") == 375
        assert wide(visit.page) == []
        if place == "#/live":
            row(visit.page, asked).click()
            visit.page.locator(".candidates").wait_for()
            assert wide(visit.page) == []


def wide(page: Page) -> list[str]:
    """Elements that go out of the window and are not in a box that scrolls."""
    return list(map(str, page.evaluate(script("wide.js"))))


def test_the_picture_and_the_plots_show_traffic(visit: Visit, embedded: RunningProxy) -> None:
    page = visit.page
    ask_claude(embedded, "claude-haiku-4-5")
    visit.go("#/flow")
    node = page.get_by_role("img", name=re.compile("^reason background: "))
    expect(node).to_be_visible()
    node.focus()
    expect(page.locator(".said")).to_contain_text(re.compile(r"background: [\d,]+ requests"))
    ribbon = page.locator(".ribbons path").first
    ribbon.focus()
    expect(page.locator(".said")).to_contain_text("→")
    expect(page.locator("table", has_text="Phase").locator("tbody tr").first).to_be_visible()
    visit.go("#/plots")
    expect(page.locator(".plot canvas")).to_have_count(4)
    expect(page.get_by_role("img", name=re.compile(r"Requests a second: [1-9]"))).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_and_controls_have_names(browser: Browser, embedded: RunningProxy, theme: str) -> None:
    asked = ask_claude(embedded, "auto", "Use claude opus, and go to plan mode")
    with visiting(browser, embedded, f"#/live/{asked}", color_scheme=theme) as visit:
        visit.page.locator(".candidates").wait_for()
        for place in ("", "#/flow", "#/plots"):
            if place:
                visit.go(place)
                visit.page.locator(".card").first.wait_for()
            assert faint(visit.page) == []
            assert nameless(visit.page) == []


def test_the_reader_may_choose_the_theme(visit: Visit) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    visit.page.get_by_role("button", name="Dark").click()
    dark = visit.page.evaluate(ground)
    visit.page.reload()
    assert visit.page.evaluate(ground) == dark
    visit.page.get_by_role("button", name="Light").click()
    assert visit.page.evaluate(ground) != dark
