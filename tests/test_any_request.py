"""Bodies of the right shape with anything in them: decoded and passed on, or refused; never another exception."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.dialects import CLIENTS
from core.errors import BadRequest
from core.exchange import Candidate, Target

ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4) | st.floats(allow_nan=False, width=16),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
TAG = "<CCR-SUBAGENT-MODEL>p,m</CCR-SUBAGENT-MODEL>"
TEXT = st.sampled_from(["", " ", "x", TAG, "x-anthropic-billing-header: a"])


@st.composite
def some(draw: st.DrawFn, /, **fields: st.SearchStrategy[Any]) -> dict[str, Any]:
    """An object with any of the fields, each mostly of its own kind and now and then of any."""
    chosen = draw(st.sets(st.sampled_from(sorted(fields))))
    return {name: draw(ANY if draw(st.integers(0, 19)) == 0 else fields[name]) for name in sorted(chosen)}


SOURCE = some(type=st.sampled_from(["base64", "url", "file", "text"]), data=TEXT, url=TEXT, media_type=TEXT)
ARGUMENTS = st.sampled_from(["", "{}", '{"a":1}', "{", "null", "[1]"])
NAMES = st.sampled_from(["f", "g", "web_search"])
TYPES = [
    "text",
    "image",
    "document",
    "thinking",
    "tool_use",
    "tool_result",
    "tool_reference",
    "search_result",
    "future",
]


def block(content: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = {"type": st.sampled_from(TYPES), "text": TEXT, "source": SOURCE, "id": TEXT, "tool_use_id": TEXT}
    return some(**fields, name=NAMES, input=ANY, content=content, thinking=TEXT, signature=TEXT, is_error=st.booleans())


BLOCKS = st.lists(block(TEXT | st.lists(block(TEXT), max_size=2)), max_size=3)
ANTHROPIC = st.builds(
    lambda messages, rest: {"model": "m", "max_tokens": 9, "messages": messages, **rest},
    st.lists(
        st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": TEXT | BLOCKS}),
        min_size=1,
        max_size=4,
    ),
    some(
        system=TEXT | BLOCKS,
        tools=st.lists(
            some(name=NAMES, type=st.sampled_from(["custom", "web_search_1"]), input_schema=ANY), max_size=2
        ),
        tool_choice=some(type=st.sampled_from(["auto", "any", "tool", "none"]), name=NAMES),
        thinking=some(type=st.sampled_from(["enabled", "disabled", "adaptive"]), budget_tokens=st.integers(-1, 9000)),
        output_config=some(effort=TEXT, format=some(type=st.just("json_schema"), schema=ANY)),
        stop_sequences=st.lists(TEXT, max_size=6),
        safeguards=ANY,
    ),
)
PARTS = st.lists(
    some(
        type=st.sampled_from(["text", "image_url", "file", "input_audio", "future"]),
        text=TEXT,
        image_url=some(url=TEXT),
    ),
    max_size=3,
)
CALLS = st.lists(some(id=TEXT, type=st.just("function"), function=some(name=NAMES, arguments=ARGUMENTS)), max_size=2)
ROLES = ["system", "developer", "user", "assistant", "tool"]
OPENAI = st.builds(
    lambda messages, rest: {"model": "m", "messages": messages, **rest},
    st.lists(
        st.builds(
            lambda role, rest: {"role": role, **rest},
            st.sampled_from(ROLES),
            some(content=TEXT | PARTS, tool_calls=CALLS, tool_call_id=TEXT, reasoning_content=TEXT),
        ),
        min_size=1,
        max_size=4,
    ),
    some(
        tools=st.lists(some(type=st.just("function"), function=some(name=NAMES, parameters=ANY)), max_size=2),
        tool_choice=st.sampled_from(["auto", "none", "required"]),
        max_tokens=st.integers(1, 9000),
        reasoning_effort=st.sampled_from(["none", "minimal", "low", "high"]),
        response_format=some(
            type=st.sampled_from(["text", "json_object", "json_schema"]), json_schema=some(schema=ANY)
        ),
        stream=st.booleans(),
        stream_options=some(include_usage=st.booleans()),
    ),
)
CANDIDATES = st.builds(
    Candidate,
    target=st.sampled_from([Target("p", "m"), Target("p", "gpt-5")]),
    max_tokens=st.none() | st.integers(1, 5000),
    drop_thinking=st.booleans(),
)


@given(body=ANTHROPIC, candidate=CANDIDATES)
@settings(max_examples=120, deadline=None)
def test_any_anthropic_body_is_passed_on_or_refused(body: dict[str, Any], candidate: Candidate) -> None:
    pass_on(body, candidate, "anthropic", "openai")


@given(body=OPENAI, candidate=CANDIDATES)
@settings(max_examples=120, deadline=None)
def test_any_openai_body_is_passed_on_or_refused(body: dict[str, Any], candidate: Candidate) -> None:
    pass_on(body, candidate, "openai", "anthropic")


def pass_on(body: dict[str, Any], candidate: Candidate, source: str, target: str) -> None:
    try:
        request = CLIENTS[source].decode_request(json.dumps(body).encode())
    except BadRequest:
        return
    spliced = CLIENTS[source].splice_request(request, candidate)
    assert json.loads(spliced)["model"] == candidate.target.model
    assert TAG not in str(json.loads(spliced).get("system"))
    try:
        passed_on = CLIENTS[target].encode_request(request, candidate)
    except BadRequest:
        return
    assert json.loads(passed_on)["model"] == candidate.target.model
    assert TAG not in str(json.loads(passed_on).get("system"))
