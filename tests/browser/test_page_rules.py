"""The page's rules, taxonomy, providers, limits and promises: what they show is so, and what is done there counts."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Visit, chromium, visiting
from playwright.sync_api import Browser, Locator, Page, expect
from proxy import RunningProxy
from readable import faint, nameless
from upstream import Upstream
from workbench import HOSTILE, PLAN, ask_claude, ask_gpt, serving

VIEWS = ("playground", "rules", "taxonomy", "providers", "limits", "promises")


@pytest.fixture(scope="module")
def browser(proxy: RunningProxy) -> Iterator[Browser]:  # after the fake provider, whose loop starts in this thread
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rules")


@pytest.fixture(scope="module")
def proxy(session_env: dict[str, str], fake: Upstream, folder: Path) -> Iterator[RunningProxy]:
    with serving(session_env, folder, fake.url) as proxy:
        yield proxy


@pytest.fixture
def visit(browser: Browser, proxy: RunningProxy) -> Iterator[Visit]:
    with visiting(browser, proxy, "#/rules") as visit:
        yield visit


def rule(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=f"Rule {name}")


def do(page: Page, name: str, action: str) -> None:
    """What a reader does with the mouse: the button, and the confirmation."""
    rule(page, name).get_by_role("button", name=action).click()
    page.get_by_role("dialog").get_by_role("button", name=action).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_rule_is_disabled_and_enabled_and_traffic_follows(visit: Visit, proxy: RunningProxy) -> None:
    page = visit.page
    assert (ask_claude(proxy), ask_gpt(proxy)) == ("rule:always", "rule:always")
    rule(page, "always").get_by_role("button", name="Disable").click()
    dialog = page.get_by_role("dialog", name="Disable always?")
    expect(dialog).to_contain_text("not asked any more")
    dialog.get_by_label("Why").fill("too expensive")
    dialog.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("status").filter(has_text="always")).to_contain_text("off")
    expect(rule(page, "always").locator(".badges")).to_have_text("disabled")
    assert (ask_claude(proxy), ask_gpt(proxy)) == ("default", "default")
    rule(page, "always").locator("summary").click()
    expect(rule(page, "always").locator(".history")).to_contain_text("too expensive")
    do(page, "always", "Enable")
    expect(rule(page, "always").locator(".badges")).to_have_text("enforce")
    assert (ask_claude(proxy), ask_gpt(proxy)) == ("rule:always", "rule:always")


def test_a_rule_is_promoted_and_rolled_back(visit: Visit, proxy: RunningProxy) -> None:
    page = visit.page
    expect(rule(page, "late").locator(".badges")).to_have_text("shadow")
    assert ask_claude(proxy) == "rule:always"
    do(page, "late", "Promote")
    expect(rule(page, "late").locator(".badges")).to_have_text("enforce")
    expect(rule(page, "late").get_by_role("button", name="Promote")).to_have_count(0)
    expect(rule(page, "late")).to_be_focused()  # its button is gone
    assert (ask_claude(proxy), ask_gpt(proxy)) == ("rule:late", "rule:late")
    do(page, "late", "Roll back")
    expect(rule(page, "late").locator(".badges")).to_have_text("shadow")
    assert ask_claude(proxy) == "rule:always"


def test_the_dialog_needs_no_mouse(visit: Visit, proxy: RunningProxy) -> None:
    page = visit.page
    disable = rule(page, "always").get_by_role("button", name="Disable")
    disable.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Why")).to_be_focused()
    for _ in range(6):  # the focus stays inside, or in the browser's own controls
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(disable).to_be_focused()
    assert ask_claude(proxy) == "rule:always"
    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Why")).to_be_focused()
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    enable = rule(page, "always").get_by_role("button", name="Enable")
    expect(enable).to_be_focused()
    assert ask_claude(proxy) == "default"
    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Why")).to_be_focused()
    page.keyboard.press("Enter")
    expect(disable).to_be_focused()
    assert ask_claude(proxy) == "rule:always"


def test_what_cannot_be_done_is_said_in_the_dialog(visit: Visit, browser: Browser, proxy: RunningProxy) -> None:
    """Somebody else was faster."""
    page = visit.page
    rule(page, "late").get_by_role("button", name="Disable").click()
    with visiting(browser, proxy, "#/rules") as other:
        do(other.page, "late", "Disable")
    visit.wanted.append("409")
    page.get_by_role("dialog").get_by_role("button", name="Disable").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("late")
    page.keyboard.press("Escape")
    do(page, "late", "Enable")


def test_a_rules_figures_are_those_of_its_calls(visit: Visit, proxy: RunningProxy) -> None:
    page = visit.page
    before = outcomes(rule(page, "guard"))
    for _ in range(3):
        ask_gpt(proxy)
    expect(rule(page, "guard").locator(".legend")).to_have_text(re.compile(rf"deny {before + 3}\b"))
    expect(rule(page, "guard").get_by_text("would have decided").locator("..")).to_contain_text(str(before + 3))
    assert page.locator("article").evaluate_all("all => all.map(each => each.dataset.rule)") == [
        "guard",
        "late",
        "always",
    ]


def outcomes(article: Locator) -> int:
    article.locator("p, .legend").first.wait_for()
    found = re.search(r"deny (\d+)", article.inner_text())
    return int(found[1]) if found else 0


def test_a_text_shows_its_concepts_as_one_types(visit: Visit) -> None:
    visit.go("#/taxonomy")
    box = visit.page.get_by_label("Text", exact=True)
    box.fill(f"😀 {HOSTILE} go to ")
    expect(visit.page.locator(".found")).to_contain_text("No concept")
    box.press_sequentially("plan mode")
    expect(visit.page.locator(".found mark")).to_have_text("plan mode")
    expect(visit.page.locator(".found tbody tr").first).to_have_text(re.compile("plan_mode.*one,thinker"))
    expect(visit.page.locator(".found .marked")).to_have_text(f"😀 {HOSTILE} go to plan mode")
    assert visit.page.evaluate("window.hurt") is None


def test_concepts_show_routes_matches_and_lint(visit: Visit, proxy: RunningProxy) -> None:
    assert ask_claude(proxy, "go to plan mode") == "concept:plan_mode"
    visit.go("#/taxonomy")
    row = visit.page.locator(".concepts tbody tr", has_text="plan_mode.md")
    expect(row).to_contain_text("one,thinker")
    expect(row.locator("li", has_text="gone,nobody")).to_contain_text("not there")
    expect(row.get_by_role("img", name="plan_mode: matches over the last hour")).to_be_visible()
    lint = visit.page.locator(".card", has=visit.page.get_by_role("heading", name="Lint"))
    expect(lint).to_contain_text("hi_there.md:3")
    visit.page.get_by_label("Filter concepts").fill("spare")
    expect(visit.page.locator(".concepts tbody tr")).to_have_count(1)


def test_providers_limits_and_promises_are_counted(visit: Visit, proxy: RunningProxy) -> None:
    page = visit.page
    visit.go("#/providers")
    asked = page.locator("tr", has_text="spare").locator("td[data-label=Requests]")
    before = int(asked.inner_text())
    ask_claude(proxy)
    expect(asked).to_have_text(str(before + 1))
    expect(page.locator(".provider", has_text="one").first).to_contain_text("key found")
    assert "sk-upstream-canary" not in page.content()
    visit.go("#/limits")
    expect(page.locator("tr", has_text="$5.00 a day")).to_be_visible()
    expect(page.locator("tr", has_text="1,000 requests a minute").get_by_role("meter")).to_be_visible()
    visit.go("#/promises")
    expect(page.locator(".promise")).not_to_have_count(0)
    expect(page.locator(".promise.broken")).to_have_count(0)
    expect(page.locator(".promise", has_text="purity").locator(".counters b")).not_to_have_text("0")


def test_a_broken_file_is_a_banner_with_its_line(visit: Visit, folder: Path) -> None:
    banner = visit.page.locator(".banners .problems")
    (folder / "taxonomy" / "plan_mode.md").write_text(PLAN.replace("70", "700"))
    expect(banner).to_contain_text(re.compile(r"plan_mode\.md:4"))
    (folder / "taxonomy" / "plan_mode.md").write_text(PLAN)
    expect(banner).to_have_count(0)


def test_nothing_is_wider_than_a_phone(browser: Browser, proxy: RunningProxy) -> None:
    with visiting(browser, proxy, viewport={"width": 375, "height": 740}) as visit:
        for view in VIEWS:
            visit.go(f"#/{view}")
            visit.page.locator(".card").nth(1).wait_for()
            widths = "[document.documentElement.scrollWidth, document.querySelector('main').scrollWidth]"
            assert (view, visit.page.evaluate(widths)) == (view, [375, 375])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_and_controls_have_names(browser: Browser, proxy: RunningProxy, theme: str) -> None:
    ask_claude(proxy, "go to plan mode")
    with visiting(browser, proxy, "#/rules", color_scheme=theme) as visit:
        for view in VIEWS:
            visit.go(f"#/{view}")
            visit.page.locator(".card").nth(1).wait_for()
            assert (view, faint(visit.page), nameless(visit.page)) == (view, [], [])
