from typing import Any

import pytest
from msgspec import Raw

from core.exchange import Features
from core.features import FeatureSettings, extract
from core.messages import Block, Message, Request, Thinking, Tool, ToolChoice

BILLING = "x-anthropic-billing-header: cc_version=2.1.330; cc_is_subagent=true;"
TITLE = Raw(b'{"type":"object","properties":{"title":{"type":"string"}},"required":["title"]}')
FUNCTION = Raw(b'{"type":"object","properties":{"query":{"type":"string"}}}')
IMAGE = Block(type="image")

DEFAULTS = FeatureSettings()


def text(value: str) -> Block:
    return Block(type="text", text=value)


def said(role: str, *content: Block) -> Message:
    return Message(role=role, content=list(content))


def result(*content: Block) -> Block:
    return Block(type="tool_result", tool_use_id="t", content=list(content))


def tools(*names: str) -> list[Tool]:
    return [Tool(name=name, input_schema=FUNCTION) for name in names]


def features(headers: dict[str, str] | None = None, settings: FeatureSettings = DEFAULTS, **fields: Any) -> Features:
    defaults = {
        "dialect": "anthropic",
        "raw": b"",
        "model": "claude-sonnet-4-5",
        "messages": [said("user", text("hi"))],
    }
    return extract(Request(**(defaults | fields)), headers or {}, token_count=7, settings=settings, client_key="laptop")


def test_plain_facts_are_carried_over() -> None:
    found = features(
        {"user-agent": "claude-cli/2", "x-claude-code-session-id": "s1"},
        stream=True,
        max_tokens=99,
        tools=[*tools("Bash"), Tool(type="web_search_20250305")],
        system=[text("<CCR-SUBAGENT-MODEL> a,b </CCR-SUBAGENT-MODEL>")],
    )

    assert (found.dialect, found.model, found.stream, found.max_tokens) == ("anthropic", "claude-sonnet-4-5", True, 99)
    assert (found.token_count, found.message_count, found.last_user) == (7, 1, "hi")
    assert (found.tools, found.subagent_target) == (("Bash", "web_search_20250305"), "a,b")
    assert (found.session_id, found.client_key, found.agent) == ("s1", "laptop", "claude-code")


MAIN = {"tools": tools("Bash", "Read"), "thinking": Thinking(type="adaptive")}
TITLE_SHAPE = {"fields": frozenset({"tools"}), "answer_schema": TITLE}
CLASSIFIER = {"max_tokens": 64, "stop": ["</block>"]}


@pytest.mark.parametrize(
    ("headers", "fields", "request_class", "background"),
    [
        ({}, {}, "", False),
        ({}, MAIN, "main", False),
        ({"x-claude-code-agent-id": "a1"}, MAIN, "subagent", False),
        ({}, MAIN | {"system": [text(BILLING)]}, "subagent", False),
        ({}, MAIN | {"system": [text("see cc_is_subagent=true")]}, "main", False),
        ({}, TITLE_SHAPE, "auxiliary", True),
        ({}, TITLE_SHAPE | {"thinking": Thinking(type="disabled")}, "auxiliary", True),
        ({}, TITLE_SHAPE | {"thinking": Thinking(type="adaptive")}, "", False),
        ({}, TITLE_SHAPE | {"fields": frozenset()}, "", False),
        ({}, TITLE_SHAPE | {"tools": tools("a")}, "", False),
        ({}, TITLE_SHAPE | {"answer_schema": FUNCTION}, "", False),
        ({}, TITLE_SHAPE | {"answer_schema": Raw(b'{"properties":[]}')}, "", False),
        ({}, TITLE_SHAPE | {"answer_schema": Raw()}, "", False),
        ({}, CLASSIFIER, "auxiliary", True),
        ({}, CLASSIFIER | {"max_tokens": 65}, "", False),
        ({}, CLASSIFIER | {"max_tokens": None}, "", False),
        ({}, CLASSIFIER | {"stop": []}, "", False),
        ({}, CLASSIFIER | {"stream": True}, "", False),
        ({}, CLASSIFIER | {"tools": tools("a")}, "", False),
        ({"x-claude-code-request-class": "main"}, CLASSIFIER, "main", False),
        ({"x-claude-code-request-class": "Auxiliary "}, MAIN, "auxiliary", True),
        ({"x-claude-code-request-class": "compaction"}, MAIN, "compaction", True),
        ({"x-claude-code-request-class": "subagent"}, {}, "subagent", False),
        ({"x-claude-code-request-class": "nonsense"}, MAIN, "main", False),
        ({}, {"model": "claude-3-5-HAIKU-latest"}, "", True),
        ({}, MAIN | {"model": "claude-haiku-4-5"}, "main", True),
    ],
)
def test_class_and_background(
    headers: dict[str, str], fields: dict[str, Any], request_class: str, background: bool
) -> None:
    found = features(headers, **fields)

    assert (found.request_class, found.background) == (request_class, background)


@pytest.mark.parametrize(
    ("globs", "model", "background"),
    [
        ((), "claude-haiku", False),
        (("*mini", "gpt-4o-*"), "o4-mini", True),
        (("*mini", "gpt-4o-*"), "GPT-4o-2024", True),
        (("*Mini",), "o4-mini", True),
        (("*mini", "gpt-4o-*"), "o4-mini-high", False),
        (("a?c[0-9]",), "abc5", True),
        (("*haiku*",), "x" * 300 + "haiku", False),
        (("*a" * 20,), "a" * 255 + "b", False),
    ],
)
def test_background_models_are_the_operators(globs: tuple[str, ...], model: str, background: bool) -> None:
    assert features(settings=FeatureSettings(background_models=globs), model=model).background is background


@pytest.mark.parametrize(
    ("fields", "thinking", "effort"),
    [
        ({}, False, "none"),
        ({"thinking": Thinking(type="adaptive")}, True, "medium"),
        ({"thinking": Thinking(type="enabled", budget=20_000)}, True, "high"),
        ({"thinking": Thinking(type="disabled")}, False, "none"),
        ({"thinking": Thinking(effort="high")}, False, "high"),
        ({"thinking": Thinking(effort="high"), "dialect": "openai"}, True, "high"),
        ({"thinking": Thinking(effort="none"), "dialect": "openai"}, False, "none"),
    ],
)
def test_thinking_and_effort(fields: dict[str, Any], thinking: bool, effort: str) -> None:
    found = features(**fields)

    assert (found.thinking, found.effort) == (thinking, effort)


ON, OFF = text("Plan mode is active. The user indicated …"), text("## Exited Plan Mode\nYou may …")


@pytest.mark.parametrize(
    ("fields", "plan_mode"),
    [
        ({}, False),
        ({"permission_mode": "plan"}, True),
        ({"messages": [said("user", text("x")), said("system", ON)]}, True),
        ({"messages": [said("system", text("<system-reminder>\nPlan mode still active (see"))]}, True),
        ({"messages": [said("system", ON), said("system", text("something else"))]}, True),
        ({"messages": [said("system", ON), said("system", OFF)]}, False),
        ({"messages": [said("system", OFF), said("system", ON)]}, True),
        ({"messages": [said("system", ON)], "permission_mode": "default"}, False),
        ({"messages": [said("user", ON)]}, False),
        ({"messages": [said("system", text("He said: Plan mode is active"))]}, False),
        ({"messages": [said("system")]}, False),
    ],
)
def test_plan_mode(fields: dict[str, Any], plan_mode: bool) -> None:
    assert features(**fields).plan_mode is plan_mode


@pytest.mark.parametrize(
    ("fields", "web_search", "server"),
    [
        ({}, False, False),
        ({"tools": [Tool(name="web_search", type="web_search_20250305")]}, True, True),
        ({"tools": [*tools("Bash"), Tool(type="web_search_preview")]}, True, True),
        ({"tools": [*tools("a"), Tool(name="googleSearch")]}, True, True),
        ({"tools": tools("WebSearch")}, True, False),
        ({"tools": tools("web_search")}, True, False),
        ({"tools": tools("Bash", "Read", "WebSearch")}, False, False),
        ({"tools": tools("search_web")}, False, False),
        ({"dialect": "openai", "fields": frozenset({"web_search_options"})}, True, True),
    ],
)
def test_web_search(fields: dict[str, Any], web_search: bool, server: bool) -> None:
    found = features(**fields)

    assert (found.web_search, found.server_web_search) == (web_search, server)


@pytest.mark.parametrize(
    ("fields", "web_search"),
    [
        ({"tools": [*tools("exec_command"), Tool(type="web_search")]}, False),
        ({"tools": [Tool(type="web_search")]}, True),
        (
            {
                "tools": [*tools("exec_command"), Tool(name="web_search", type="web_search")],
                "tool_choice": ToolChoice(type="tool", name="web_search"),
            },
            True,
        ),
    ],
)
def test_codex_offers_a_search_with_every_turn(fields: dict[str, Any], web_search: bool) -> None:
    found = features({"user-agent": "codex_exec/0.169.0 (Debian 12; x86_64)"}, **fields)
    assert (found.web_search, found.server_web_search) == (web_search, True)


@pytest.mark.parametrize(
    ("messages", "images", "in_last_turn"),
    [
        ([said("user", text("x"))], 0, False),
        ([said("user", text("x"), IMAGE, IMAGE)], 2, True),
        ([said("user", IMAGE), said("assistant", text("a")), said("user", text("b"))], 1, False),
        ([said("user", IMAGE), said("assistant", text("a")), said("user", result(text("b"), IMAGE))], 2, True),
        ([said("assistant", text("a")), said("user", IMAGE), said("user", text("b"))], 1, True),
        ([said("user", result(result(IMAGE)))], 1, True),
        ([said("user", IMAGE), said("assistant", text("prefill"))], 1, False),
        ([said("user", Block(type="tool_result", content="image"))], 0, False),
    ],
)
def test_images(messages: list[Message], images: int, in_last_turn: bool) -> None:
    found = features(messages=messages)

    assert (found.images, found.image_in_last_turn) == (images, in_last_turn)


def test_code_is_left_out_of_the_pattern_text_by_option() -> None:
    fields: dict[str, Any] = {"messages": [said("user", text("fix\n```\ncode\n```"))]}

    assert features(**fields).last_user == "fix\n```\ncode\n```"
    assert features(settings=FeatureSettings(skip_code=True), **fields).last_user == "fix"


@pytest.mark.parametrize(
    ("fields", "only"),
    [
        ({}, False),
        ({"tools": [Tool(name="web_search", type="web_search_20250305")]}, True),
        ({"tools": [*tools("Bash"), Tool(name="web_search", type="web_search_20250305")]}, False),
        (
            {
                "tools": [*tools("Bash"), Tool(name="web_search", type="web_search_20250305")],
                "tool_choice": ToolChoice(type="tool", name="web_search"),
            },
            True,
        ),
        (
            {
                "tools": [*tools("Bash"), Tool(name="web_search", type="web_search_20250305")],
                "tool_choice": ToolChoice(type="tool", name="Bash"),
            },
            False,
        ),
    ],
)
def test_whether_anything_is_left_without_the_search(fields: dict[str, Any], only: bool) -> None:
    assert features(**fields).only_web_search is only


def test_tools_that_only_a_provider_knows_are_named() -> None:
    offered = [*tools("Bash"), Tool(name="bash", type="bash_20250124"), Tool(name="s", type="tool_search_tool_regex_1")]
    assert features(tools=offered).provider_tools == ("bash_20250124",)
