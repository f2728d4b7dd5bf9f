from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasm_modules import patient

from wasm_host import abi
from wasm_host.projection import make_plan, project

REFUSALS = r"field|header|credentials|cut"
LONG = "x" * 5000


def seen(
    declared: list[str] | None = None,
    grant: list[str] | None = None,
    view: dict[str, Any] | None = None,
    limit: int | None = None,
    config: bytes = b"{}",
) -> dict[str, Any]:
    data = project(make_plan(declared, grant or [], limit), view or abi.EXAMPLE, config)
    assert data is not None
    decoded: dict[str, Any] = msgspec.json.decode(data)
    return decoded


def with_request(**fields: Any) -> dict[str, Any]:
    return abi.EXAMPLE | {"request": abi.EXAMPLE["request"] | fields}


def test_default_is_facts_without_texts() -> None:
    document = seen()
    assert list(document) == ["abi", "now_ms", "tz_offset_min", "seed", "request", "scenario", "targets", "config"]
    assert tuple(document["request"]) == abi.REQUEST_FIELDS
    assert document["targets"] == [{"name": "anthropic,claude-sonnet-4-5"}]


def test_everything_in_fixed_order() -> None:
    texts = ["request.last_user", "request.system", "request.messages"]
    view = with_request(system="be kind", messages=msgspec.Raw(b'[{"role":"user"}]')) | {
        "headers": {"x-team": "red", "b": "c"}
    }
    grant = [*texts, "session", "headers[X-Team]"]
    document = seen(["targets", "session", "headers[x-team]", *texts, "client", "scenario", "request"], grant, view)
    assert list(document) == [key for key in abi.REQUEST_KEYS if key != "truncated"]
    assert list(document["request"]) == [*abi.REQUEST_FIELDS, *abi.TEXT_KEYS]
    assert document["request"]["messages"] == [{"role": "user"}]
    assert document["headers"] == {"x-team": "red"}
    assert document["targets"] == abi.EXAMPLE["targets"]
    assert document["session"] == abi.EXAMPLE["session"]


def test_single_fields() -> None:
    document = seen(["request.token_count", "client.agent", "targets.price", "session.turns"], ["session.turns"])
    assert document["request"] == {"token_count": 71234}
    assert document["client"] == {"agent": "claude-code"}
    assert document["session"] == {"turns": 12}
    assert [set(target) for target in document["targets"]] == [{"name", "price"}]


@pytest.mark.parametrize(
    "path", ["request.last_user", "request.system[:5]", "request.messages", "session", "headers[x-a]"]
)
def test_what_is_not_granted_is_absent_and_said(path: str) -> None:
    plan = make_plan([path, "request.model"], [], None)
    assert plan.ungranted == (path,)
    assert not plan.saw_text
    document = seen([path, "request.model"], view=with_request(system="s") | {"headers": {"x-a": "1"}})
    assert set(document) == {"abi", "now_ms", "tz_offset_min", "seed", "request", "config"}
    assert document["request"] == {"model": "claude-sonnet-4-5"}


def test_what_is_not_declared_is_absent_though_granted() -> None:
    assert "last_user" not in seen(["request"], ["request.last_user"])["request"]


def test_a_granted_text_comes_by_default_up_to_its_thousandth_character() -> None:
    document = seen(grant=["request.last_user"], view=with_request(last_user="🚀" * 1001))
    assert document["request"]["last_user"] == "🚀" * 1000 or document["truncated"] == ["request.last_user"]
    short = seen(grant=["request.last_user"], view=with_request(last_user="x" * 1001))
    assert short["request"]["last_user"] == "x" * 1000
    assert short["truncated"] == ["request.last_user"]


def test_lengths_count_characters_and_the_shorter_of_two_holds() -> None:
    view = with_request(last_user="äöü🚀é")
    assert seen(["request.last_user[:4]"], ["request.last_user"], view)["request"]["last_user"] == "äöü🚀"
    assert seen(["request.last_user[:4]"], ["request.last_user[:2]"], view)["request"]["last_user"] == "äö"
    assert seen(["request.last_user"], ["request.last_user[:3]"], view)["request"]["last_user"] == "äöü"
    assert "truncated" not in seen(["request.last_user[:5]"], ["request.last_user"], view)


@pytest.mark.parametrize(
    "path",
    [
        *("", "request.", "request.nonsense", "nonsense", "request.model[:5]", "request.messages[:5]", "headers"),
        *("session[x]", "headers[:5]", "request.last_user[:-1]", "request.last_user[x]", "request.last_user[:5] "),
        *("headers[authorization]", "headers[Cookie]", "headers[x-api-key]", "headers[x-goog-api-key]"),
        "headers[x-auth-token]",
    ],
)
def test_unknown_and_secret_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match=REFUSALS):
        make_plan([path], [], None)
    with pytest.raises(ValueError, match=REFUSALS):
        make_plan(None, [path], None)


def test_wants() -> None:
    assert make_plan(None, [], None).wants() == {"request", "scenario", "targets"}
    assert make_plan([], [], None).wants() == frozenset()
    grant = ["request.last_user", "headers[x-team]", "session"]
    plan = make_plan(["request.last_user[:9]", "headers[x-team]", "targets.price", "session", "client"], grant, None)
    wanted = {"request.last_user", "headers", "headers[x-team]", "targets", "targets.facts", "session", "client"}
    assert plan.wants() == wanted
    assert plan.saw_text


def test_a_view_without_the_parts_that_nobody_wants() -> None:
    assert seen(["targets", "session", "request"], ["session"], view={"now_ms": 1}) == {
        "abi": 1, "now_ms": 1, "request": {}, "config": {},
    }  # fmt: skip


def test_config_is_given_as_it_is() -> None:
    assert seen(config=b'{"a":[1,{"b":null}]}')["config"] == {"a": [1, {"b": None}]}


def test_a_long_text_is_cut_to_the_limit_and_named() -> None:
    plan = make_plan(["request.last_user"], ["request.last_user"], 600)
    data = project(plan, with_request(last_user='"\n' * 2000))
    assert data is not None
    assert 590 <= len(data) <= 600
    assert msgspec.json.decode(data)["truncated"] == ["request.last_user"]


def test_a_conversation_is_left_out_rather_than_cut() -> None:
    grant = ["request.messages", "request.last_user"]
    view = with_request(messages=msgspec.Raw(msgspec.json.encode([LONG])), last_user="short")
    document = seen(["request.messages", "request.last_user"], grant, view, limit=1000)
    assert document["request"] == {"last_user": "short"}
    assert document["truncated"] == ["request.messages"]


def test_a_rule_that_declared_nothing_loses_entries_of_lists() -> None:
    view = with_request(tools=[f"tool_{number}" for number in range(2000)])
    document = seen(view=view)
    assert document["truncated"] == ["request.tools"]
    assert document["request"]["tools"][:2] == ["tool_0", "tool_1"]
    many = abi.EXAMPLE | {"targets": [{"name": f"provider,model-{number}"} for number in range(900)]}
    assert seen(view=many)["truncated"] == ["request.tools", "targets"]


def test_a_rule_that_declared_lists_is_not_asked_when_they_are_too_large() -> None:
    view = with_request(tools=[LONG] * 60)
    assert project(make_plan(["request.tools"], [], None), view) is None


def test_a_declared_input_may_have_256_kib() -> None:
    assert len(seen(["request.tools"], view=with_request(tools=[LONG] * 40))["request"]["tools"]) == 40


@patient
@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=400),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=40),
    st.integers(300, 1500),
)
def test_never_over_the_limit_and_always_json(text: str, tools: list[str], limit: int) -> None:
    plan = make_plan(None, ["request.last_user"], limit)
    data = project(plan, with_request(last_user=text, tools=tools))
    if data is not None:
        assert len(data) <= limit
        document = msgspec.json.decode(data)
        assert text.startswith(document["request"]["last_user"])
        assert document["request"]["tools"] == tools[: len(document["request"]["tools"])]
        cut = {"request.last_user": document["request"]["last_user"] != text}
        cut["request.tools"] = document["request"]["tools"] != tools
        assert {name for name, was in cut.items() if was} <= set(document.get("truncated", []))
