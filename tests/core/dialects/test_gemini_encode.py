import json
from typing import Any

import pytest

from core.dialects import CLIENTS, PROVIDERS
from core.dialects.gemini_model import generation
from core.errors import BadRequest
from core.exchange import Candidate, Target

NEW, OLD = "gemini-3-flash", "gemini-2.5-flash"


def asked(model: str = NEW, **fields: Any) -> Any:
    """The body for an Anthropic request."""
    given = {"model": "m", "max_tokens": 1000, "messages": [{"role": "user", "content": "hi"}]} | fields
    request = CLIENTS["anthropic"].decode_request(json.dumps(given).encode())
    return json.loads(PROVIDERS["gemini"].encode_request(request, Candidate(Target("p", model))))


TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ({"type": "auto"}, {"mode": "AUTO"}),
        ({"type": "any"}, {"mode": "ANY"}),
        ({"type": "none"}, {"mode": "NONE"}),
        ({"type": "tool", "name": "f"}, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)
def test_tool_choice(choice: Any, config: Any) -> None:
    assert asked(tools=[TOOL], tool_choice=choice)["toolConfig"] == {"functionCallingConfig": config}


def test_a_web_search_is_google_s() -> None:
    assert asked(OLD, tools=[SEARCH])["tools"] == [{"googleSearch": {}}]
    both = asked(NEW, tools=[TOOL, SEARCH])
    assert [next(iter(tool)) for tool in both["tools"]] == ["functionDeclarations", "googleSearch"]
    assert both["toolConfig"] == {
        "includeServerSideToolInvocations": True,
        "functionCallingConfig": {"mode": "VALIDATED"},
    }
    forced = asked(NEW, tools=[TOOL, SEARCH], tool_choice={"type": "any"})["toolConfig"]
    assert forced["functionCallingConfig"] == {"mode": "ANY"}


@pytest.mark.parametrize("model", [NEW, OLD])
def test_a_search_that_must_be_used_stands_alone(model: str) -> None:
    body = asked(model, tools=[TOOL, SEARCH], tool_choice={"type": "tool", "name": "web_search"})
    assert (body["tools"], "toolConfig" in body) == ([{"googleSearch": {}}], False)


def test_functions_stay_where_a_model_takes_only_one_kind() -> None:
    """The gate refuses such a target, unless the operator lets the search go."""
    assert [next(iter(tool)) for tool in asked(OLD, tools=[TOOL, SEARCH])["tools"]] == ["functionDeclarations"]


@pytest.mark.parametrize(
    ("model", "fields", "why"),
    [
        (NEW, {"safeguards": []}, "safeguards: cannot be passed on to this provider; "),
        (NEW, {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "tool_choice.name: the tool 'g' "),
        (
            NEW,
            {"tools": [{"type": "bash_1", "name": "b"}], "tool_choice": {"type": "any"}},
            "tool_choice.type: none of ",
        ),
        (
            NEW,
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "x"}}]}
                ]
            },
            "source.type: 'file' is stored at another provider; ",
        ),
    ],
)
def test_what_cannot_be_passed_on_is_refused(model: str, fields: Any, why: str) -> None:
    with pytest.raises(BadRequest) as refused:
        asked(model, **fields)
    assert refused.value.message.startswith(why)


def test_the_limits_of_an_answer() -> None:
    fields = {"temperature": 0.0, "top_p": 0.5, "top_k": 7, "stop_sequences": ["a", "", "b", "a", "c", "d", "e", "f"]}
    config = asked("gemma-3", **fields)["generationConfig"]
    assert config == {
        "maxOutputTokens": 1000,
        "temperature": 0.0,
        "topP": 0.5,
        "topK": 7,
        "stopSequences": ["a", "b", "c", "d", "e"],
    }


def test_the_candidate_s_limit_counts() -> None:
    request = CLIENTS["anthropic"].decode_request(
        b'{"model":"m","max_tokens":900,"messages":[{"role":"user","content":"x"}]}'
    )
    wire = json.loads(PROVIDERS["gemini"].encode_request(request, Candidate(Target("p", "gemma-3"), max_tokens=50)))
    assert wire["generationConfig"] == {"maxOutputTokens": 50}


@pytest.mark.parametrize(("model", "as_schema"), [(NEW, True), (OLD, False)])
def test_an_answer_s_schema_beside_tools(model: str, *, as_schema: bool) -> None:
    shape = {"format": {"type": "json_schema", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}}
    body = asked(model, tools=[TOOL], output_config=shape)
    assert ("responseSchema" in body["generationConfig"]) is as_schema
    assert ("systemInstruction" in body) is not as_schema
    alone = asked(model, output_config=shape)["generationConfig"]
    assert alone["responseSchema"]["propertyOrdering"] == ["a"]
    assert alone["responseMimeType"] == "application/json"


ADAPTIVE, ENABLED = {"type": "adaptive"}, {"type": "enabled", "budget_tokens": 20_000}


@pytest.mark.parametrize(
    ("model", "fields", "expected"),
    [
        ("gemini-3-flash", {"thinking": ADAPTIVE}, {"includeThoughts": True}),
        ("gemini-3-flash", {}, {"thinkingLevel": "minimal"}),
        ("gemini-3-pro-preview", {}, {"thinkingLevel": "low"}),
        ("gemini-3-flash", {"thinking": ENABLED}, {"includeThoughts": True, "thinkingLevel": "high"}),
        (
            "gemini-3-flash",
            {"output_config": {"effort": "medium"}},
            {"includeThoughts": True, "thinkingLevel": "medium"},
        ),
        ("gemini-3-pro", {"output_config": {"effort": "medium"}}, {"includeThoughts": True, "thinkingLevel": "high"}),
        (
            "gemini-3.1-pro",
            {"output_config": {"effort": "medium"}},
            {"includeThoughts": True, "thinkingLevel": "medium"},
        ),
        (
            "gemini-flash-latest",
            {"output_config": {"effort": "max"}},
            {"includeThoughts": True, "thinkingLevel": "high"},
        ),
        ("gemini-2.5-flash", {}, {"thinkingBudget": 0}),
        ("gemini-2.5-pro", {}, {"thinkingBudget": 128}),
        ("gemini-2.5-flash", {"thinking": {"type": "disabled"}}, {"thinkingBudget": 0}),
        ("gemini-2.5-flash", {"thinking": ADAPTIVE}, {"includeThoughts": True, "thinkingBudget": -1}),
        ("gemini-2.5-flash", {"thinking": ENABLED}, {"includeThoughts": True, "thinkingBudget": 20_000}),
        ("gemini-2.5-flash", {"output_config": {"effort": "max"}}, {"includeThoughts": True, "thinkingBudget": 24_576}),
        ("gemini-2.5-pro", {"output_config": {"effort": "max"}}, {"includeThoughts": True, "thinkingBudget": 32_768}),
        (
            "gemini-2.5-flash",
            {"thinking": ENABLED, "max_tokens": 400},
            {"includeThoughts": True, "thinkingBudget": 200},
        ),
        (
            "gemini-2.5-flash-lite",
            {"thinking": ENABLED, "max_tokens": 400},
            {"includeThoughts": True, "thinkingBudget": 512},
        ),
        ("gemini-2.5-flash-image", {"thinking": ENABLED}, None),
        ("gemini-2.0-flash", {"thinking": ENABLED}, None),
        ("gemma-3", {"thinking": ENABLED}, None),
    ],
)
def test_how_much_it_thinks(model: str, fields: Any, expected: Any) -> None:
    assert asked(model, **({"max_tokens": 100_000} | fields))["generationConfig"].get("thinkingConfig") == expected


def test_a_chat_client_that_says_nothing_gets_the_provider_s_default() -> None:
    request = CLIENTS["openai"].decode_request(b'{"model":"m","messages":[{"role":"user","content":"x"}]}')
    assert "generationConfig" not in json.loads(
        PROVIDERS["gemini"].encode_request(request, Candidate(Target("p", NEW)))
    )


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gemini-3-pro", (3, 0)),
        ("models/gemini-2.5-flash", (2, 5)),
        ("gemini-4-argon", (4, 0)),
        ("gemini-pro-latest", (3, 0)),
        ("learnlm", (0, 0)),
    ],
)
def test_generations(model: str, expected: tuple[int, int]) -> None:
    assert generation(model) == expected
