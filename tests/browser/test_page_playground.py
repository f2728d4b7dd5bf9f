"""The playground: a request is decided as one types, a rule is dropped and tried, and nothing that anybody wrote is
more than text.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import Visit, chromium, visiting
from playwright.sync_api import Browser, Page, Route, expect
from proxy import RunningProxy
from upstream import Upstream
from wasm_modules import answering
from workbench import HOSTILE, REFUSAL, logging, serving

DEFAULT = "two,spare"  # what the rule `always` says
TEXT = "Please go to plan mode now."


@pytest.fixture(scope="module")
def browser(proxy: RunningProxy) -> Iterator[Browser]:  # after the fake provider, whose loop starts in this thread
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def proxy(
    session_env: dict[str, str], fake: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    with serving(session_env, tmp_path_factory.mktemp("playground"), fake.url) as proxy:
        yield proxy


@pytest.fixture
def visit(browser: Browser, proxy: RunningProxy) -> Iterator[Visit]:
    with visiting(browser, proxy, "#/playground") as visit:
        decided(visit.page, DEFAULT)
        yield visit


@pytest.fixture(scope="module")
def tab(browser: Browser, proxy: RunningProxy) -> Iterator[Page]:
    """The origin, and nothing that runs."""
    page = browser.new_page()
    page.goto(f"{proxy.url}/ui/icon.svg")
    yield page
    page.close()


def request(text: str, **more: Any) -> str:
    """A request as somebody would paste it."""
    return json.dumps({"model": "auto", "max_tokens": 9, **more, "messages": [{"role": "user", "content": text}]})


def decided(page: Page, target: str) -> None:
    """Wait until the playground says so."""
    expect(page.locator("p.decided")).to_have_text(target)


def drop(page: Page, name: str, text: str) -> None:
    """A file falls on the view."""
    page.evaluate(
        """([name, text]) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([text], name));
          const options = { dataTransfer, bubbles: true, cancelable: true };
          for (const kind of ["dragover", "drop"])
            document.querySelector(".playground").dispatchEvent(new DragEvent(kind, options));
        }""",
        [name, text],
    )


def test_the_decision_follows_what_one_types(visit: Visit) -> None:
    page, box = visit.page, visit.page.get_by_label("Request as JSON")
    box.fill(request("Please go to plan "))
    decided(page, DEFAULT)
    box.press("Control+End")
    for _ in range(len('"}]}')):
        box.press("ArrowLeft")
    box.press_sequentially("mode")
    decided(page, "one,thinker")
    expect(page.locator(".because")).to_have_text("pattern concept:plan_mode")
    expect(page.locator("mark")).to_have_text("plan mode")
    changed = page.locator(".changes").get_by_role("definition").first
    expect(changed.locator("del")).to_have_text(DEFAULT)
    expect(changed.locator("ins")).to_have_text("one,thinker")
    expect(page.locator(".order .decided")).to_contain_text("pattern")
    box.press("Backspace")
    decided(page, DEFAULT)
    expect(page.locator("mark")).to_have_count(0)


def test_only_the_last_question_is_answered(visit: Visit) -> None:
    """The answer to an older question comes late: it is not shown."""
    page = visit.page
    held: list[Route] = []

    def hold(route: Route) -> None:
        if "Please go" in (route.request.post_data or "") and not held:
            held.append(route)
        else:
            route.continue_()

    page.route("**/admin/route", hold)
    box = page.get_by_label("Request as JSON")
    with page.expect_request("**/admin/route"):
        box.fill(request(TEXT))
    box.fill(request("hello", output_config={"effort": "high"}, thinking={"type": "adaptive"}))
    decided(page, "one,thinker")
    expect(page.locator(".because")).to_contain_text("thinking")
    [late] = held
    late.continue_()
    box.fill(request("and another"))
    decided(page, DEFAULT)
    reason = page.locator(".changes div", has_text="reason")
    expect(reason.locator("del")).to_have_text("thinking")  # and not the concept of the late one


def test_a_fault_of_the_json_has_a_line(visit: Visit) -> None:
    page, box = visit.page, visit.page.get_by_label("Request as JSON")
    box.fill('{"model": "auto",\n "messages": [ }')
    fault = page.locator("#request-fault")
    expect(fault).to_contain_text("line 2, column 16")
    expect(box).to_have_attribute("aria-invalid", "true")
    decided(page, DEFAULT)  # of the last one that could be read
    fault.get_by_role("button").click()
    expect(box).to_be_focused()
    assert box.evaluate("box => box.value[box.selectionStart]") == "}"
    visit.wanted.append("400")
    box.fill('{"model": "auto"}')
    expect(page.get_by_role("alert")).to_contain_text("max_tokens")


FAULTS = [
    ("{", 1, 2),
    ('{"a": 1,}', 1, 9),
    ('{"a" 1}', 1, 6),
    ("{a: 1}", 1, 2),
    ('{"a": "x\ny"}', 1, 7),
    ('{"a": [1\n 2]}', 2, 2),
    ('{"a": 01}', 1, 8),
    ('{"a": tru}', 1, 7),
    ('{"a": "\\q"}', 1, 7),
    ("", 1, 1),
    ("{}}", 1, 3),
    ("[]", 1, 1),
    ('{"😀": nan}', 1, 8),
]


def test_each_fault_is_where_it_is(tab: Page) -> None:
    script = """async (texts) => {
      const { parsed } = await import("/ui/playground/json_problem.js");
      return texts.map((text) => { const { problem } = parsed(text); return [problem.line, problem.column]; });
    }"""
    found = tab.evaluate(script, [text for text, _, _ in FAULTS])
    assert found == [[line, column] for _, line, column in FAULTS]
    assert tab.evaluate(script.replace("parsed(text);", "parsed('['.repeat(1e6) + text);"), ["x"]) == [[None, None]]


def call(page: Page, module: str, function: str, *values: Any) -> Any:
    """What `function` of `/ui/MODULE` gives for JSON values."""
    script = "async ([module, name, values]) => (await import(`/ui/${module}`))[name](...values)"
    return page.evaluate(script, [module, function, list(values)])


def test_a_text_is_cut_where_marks_begin_and_end(tab: Page) -> None:
    def cut(text: str, *spans: tuple[int, int, str]) -> list[tuple[str, str]]:
        asked = [{"start": start, "end": end, "what": what} for start, end, what in spans]
        found = call(tab, "spans.js", "segments", text, asked)
        return [(piece["text"], "".join(piece["marks"])) for piece in found]

    assert cut("") == []
    assert cut("abc") == [("abc", "")]
    assert cut("abcdef", (1, 3, "x")) == [("a", ""), ("bc", "x"), ("def", "")]
    assert cut("abcdef", (0, 4, "x"), (2, 6, "y")) == [("ab", "x"), ("cd", "xy"), ("ef", "y")]
    assert cut("😀b😀d", (1, 2, "x"), (2, 3, "y")) == [("😀", ""), ("b", "x"), ("😀", "y"), ("d", "")]
    assert cut("ab", (1, 9, "x")) == [("a", ""), ("b", "x")]  # a text that was cut off: no further than its end
    assert cut("ab", (5, 9, "x")) == [("ab", "")]
    pieces = [{"text": "a" * 50, "marks": []}, {"text": "b", "marks": ["x"]}, {"text": "c" * 50, "marks": []}]
    shown = call(tab, "spans.js", "excerpt", pieces, 10)
    assert [piece and piece["text"] for piece in shown] == [None, "a" * 10, "b", "c" * 10, None]
    between = call(tab, "spans.js", "excerpt", [pieces[1], pieces[0], pieces[1]], 10)
    assert [piece and piece["text"] for piece in between] == ["b", "a" * 10, None, "a" * 10, "b"]


def test_small_pictures_have_the_height_of_their_numbers(tab: Page) -> None:
    assert call(tab, "sparkline.js", "binned", [1, 2, 3, 4, 5], 2) == [3, 7, 5]
    assert call(tab, "sparkline.js", "path", [0, 2], 2) == "M0.0 23.0L120.0 1.0"
    assert call(tab, "sparkline.js", "path", [0], 0) == "M0.0 23.0"


def test_concepts_are_chosen_by_words_and_ranked_by_use(tab: Page) -> None:
    def concept(name: str, total: int, *routes: str) -> dict[str, Any]:
        known = {"concept": name, "path": f"{name}.md", "synonyms": [f"say {name}"], "routes": routes}
        return known | {"unrouted": [], "total": total, "priority": 50}

    all_of = [concept("b", 1, "p,m"), concept("a", 1, "p,m"), concept("c", 5), concept("d", 7, "q,n")]

    def names(kind: str, words: str) -> list[str]:
        return [each["concept"] for each in call(tab, "taxonomy/concepts.js", "chosen", all_of, kind, words)]

    assert names("routes", "") == ["d", "a", "b"]
    assert names("all", "") == ["d", "c", "a", "b"]
    assert names("all", "SAY c") == ["c"]
    assert names("routes", "p,m") == ["a", "b"]


def test_lines_are_headers_if_they_are(tab: Page) -> None:
    said = "X-One: a: b\n\nno header\n: nobody\nx-two:c"
    assert call(tab, "playground/editor.js", "headersOf", said) == {"x-one": "a: b", "x-two": "c"}


EXAMPLES = {
    "Concept": ("one,thinker", "concept:plan_mode"),
    "Thinking": ("one,thinker", "thinking"),
    "Web search": ("one,search", "web_search"),
    "Image": ("one,eyes", "image"),
    "Long": ("one,long", "long_context"),
    "Background": ("one,small", "background"),
    "Rule": (DEFAULT, "rule:always"),
    "Explicit": (DEFAULT, "explicit"),
    "Plain": (DEFAULT, "rule:always"),
}


def test_every_example_is_what_it_says(visit: Visit) -> None:
    buttons = visit.page.get_by_role("group", name="Examples").get_by_role("button")
    assert sorted(buttons.all_inner_texts()) == sorted(EXAMPLES)
    for example, (target, reason) in EXAMPLES.items():
        buttons.get_by_text(example, exact=True).click()
        expect(visit.page.locator(".because")).to_contain_text(reason)
        decided(visit.page, target)


def test_a_decision_can_be_held_and_compared_with(visit: Visit) -> None:
    page, box = visit.page, visit.page.get_by_label("Request as JSON")
    page.get_by_role("button", name="Hold this one").click()
    for effort in ("low", "high"):
        box.fill(request(TEXT, output_config={"effort": effort}, thinking={"type": "adaptive"}))
    expect(page.locator(".because")).to_contain_text("thinking")
    held = page.locator(".changes").get_by_role("definition").first
    expect(held.locator("del")).to_have_text(DEFAULT)
    expect(held.locator("ins")).to_have_text("one,thinker")


def test_headers_count(visit: Visit) -> None:
    page = visit.page
    page.get_by_text("Headers", exact=True).click()
    page.get_by_label("Headers, one a line").fill("x-claude-code-request-class: auxiliary")
    expect(page.locator(".because")).to_contain_text("background")


def test_a_rule_that_is_dropped_is_tried(visit: Visit) -> None:
    page = visit.page
    drop(page, "a_rule.wat", answering('{"route":"one,small","reason":"cheap_first"}'))
    trial = page.locator(".trial")
    expect(trial.locator(".versus")).to_have_text("livetwo,sparewith this ruleone,smallanother decision")
    expect(trial).to_contain_text("cheap_first")
    decided(page, DEFAULT)  # it decides nothing
    page.get_by_label("Request as JSON").fill(request(TEXT))
    decided(page, "one,thinker")
    expect(trial).to_contain_text("Live it would not be asked (the pattern phase decided before)")
    trial.get_by_role("button", name="Remove").click()
    expect(trial.locator(".versus")).to_have_count(0)


def test_a_broken_rule_says_what_is_wrong(visit: Visit) -> None:
    page = visit.page
    page.locator("input[type=file]").set_input_files(
        {"name": "broken.wat", "mimeType": "text/plain", "buffer": b"(module\n (func (i32.bogus)))"}
    )
    alert = page.locator(".trial").get_by_role("alert")
    expect(alert).to_contain_text("i32.bogus")
    drop(page, "broken.exe", "MZ")
    expect(page.locator(".trial")).to_contain_text("a rule is a .wasm or .wat file")
    drop(page, "trap.wat", answering("no json"))
    expect(page.locator(".trial .facts")).to_contain_text("refused")


def test_a_request_that_is_dropped_is_decided(visit: Visit) -> None:
    drop(visit.page, "request.json", request(TEXT))
    decided(visit.page, "one,thinker")


def test_what_a_rule_says_is_text(visit: Visit) -> None:
    """Its file's name, its log, its refusal, and the refusal of a rule that is in the folder."""
    page = visit.page
    drop(page, "talker.wat", logging(REFUSAL, HOSTILE))
    expect(page.locator(".trial pre")).to_have_text(f"info: {HOSTILE}")
    expect(page.locator(".phases")).to_contain_text(HOSTILE)  # what `guard` says
    drop(page, f"{HOSTILE}.wat", logging(REFUSAL, HOSTILE))
    expect(page.locator(".trial-name b")).to_have_text(f"{HOSTILE}.wat")
    expect(page.locator(".trial").get_by_role("alert")).to_be_visible()
    page.get_by_label("Request as JSON").fill(request(f"{HOSTILE} plan mode", model=HOSTILE))
    expect(page.locator(".marked")).to_have_text(f"{HOSTILE} plan mode")
    assert page.evaluate("window.hurt") is None
    assert page.locator("#app :is(script, img:not([src^='/ui/']))").count() == 0


def test_matches_lie_where_they_were_found_whatever_stands_before(visit: Visit) -> None:
    page = visit.page
    page.get_by_label("Request as JSON").fill(request("😀👩‍👩‍👧 é\u0301 — then 計画モード, and PLAN MODE"))
    expect(page.locator("mark")).to_have_text(["計画モード", "PLAN MODE"])
