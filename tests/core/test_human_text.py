import pytest

from core.human_text import (
    WRAPPERS,
    find_subagent_tag,
    last_human_text,
    without_code,
    without_subagent_tag,
    without_wrappers,
)
from core.messages import Block, Message, Request

TAG = "<CCR-SUBAGENT-MODEL>openrouter,a/b</CCR-SUBAGENT-MODEL>"


def text(value: str) -> Block:
    return Block(type="text", text=value)


def said(role: str, *values: str | Block) -> Message:
    return Message(role=role, content=[value if isinstance(value, Block) else text(value) for value in values])


def request(*messages: Message, system: tuple[str, ...] = ()) -> Request:
    return Request(dialect="anthropic", raw=b"", model="m", messages=list(messages), system=list(map(text, system)))


RESULT = Block(type="tool_result", tool_use_id="t", content="a program's words")


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([], ""),
        ([said("user", "one"), said("assistant", "two")], "one"),
        ([said("user", "one"), said("assistant", "two"), said("user", "three")], "three"),
        ([said("user", "one"), said("assistant", "two"), said("user", RESULT)], "one"),
        ([said("user", "one"), said("assistant", "two"), said("user", RESULT, "and this")], "and this"),
        ([said("user", "one", "more")], "one\nmore"),
        ([said("user", "<system-reminder>no</system-reminder>", "yes")], "yes"),
        ([said("user", "real"), said("user", "<local-command-stdout>no</local-command-stdout>")], "real"),
        ([said("user", "real"), said("system", "a notice")], "real"),
        ([said("user", "real"), said("user", "  \n ")], "real"),
        ([said("user", Block(type="image"))], ""),
        ([said("user")], ""),
    ],
)
def test_only_the_last_words_of_a_human_are_heard(messages: list[Message], expected: str) -> None:
    assert last_human_text(request(*messages)) == expected


@pytest.mark.parametrize("name", WRAPPERS)
def test_each_wrapper_is_taken_off(name: str) -> None:
    assert without_wrappers(f"before <{name}>\n<inner> & </inner>\n</{name}> after") == "before  after"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a < b and <div>c</div>", "a < b and <div>c</div>"),
        ("why does <system-reminder> appear?", "why does <system-reminder> appear?"),
        ("<bash-input>ls</bash-input><bash-stdout>x</bash-stdout>now fix it", "now fix it"),
        ("<system-reminder>a</system-reminder><system-reminder>open", "<system-reminder>open"),
        ("<system-reminder>open <bash-input>ls</bash-input> on", "<system-reminder>open  on"),
        ("</system-reminder>x", "</system-reminder>x"),
    ],
)
def test_what_is_no_whole_wrapper_stays(given: str, expected: str) -> None:
    assert without_wrappers(given) == expected


def test_a_hostile_text_takes_linear_time() -> None:
    """Two hundred thousand openings: with a search for each one's end this would be 10^11 steps."""
    given = "<system-reminder>" * 100_000 + "<bash-input>" * 100_000

    assert without_wrappers(given) == given
    assert without_subagent_tag("<CCR-SUBAGENT-MODEL>" * 200_000) == "<CCR-SUBAGENT-MODEL>" * 200_000
    assert without_code("```\n" * 200_001) == ""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("no code", "no code"),
        ("a\n```py\ncode\n```\nb", "a\nb"),
        ("a\n````\n```\ncode\n````\nb", "a\nb"),
        ("a\n~~~\n```\n~~~\nb\n```\nx\n```", "a\nb"),
        ("a\n```\nnever closed", "a"),
        ("inline ``` is no fence", "inline ``` is no fence"),
    ],
)
def test_fenced_code_can_be_left_out(given: str, expected: str) -> None:
    assert without_code(given) == expected
    assert last_human_text(request(said("user", given)), skip_code=True) == expected


@pytest.mark.parametrize(
    "holder",
    [
        request(system=("You are …", f"do this {TAG}")),
        request(said("user", f"{TAG}\ngo")),
        request(said("user", "hi"), said("assistant", "x"), said("user", "a", TAG)),
        request(said("user", "<CCR-SUBAGENT-MODEL> is never closed here", f"x{TAG}")),
    ],
)
def test_the_subagent_tag_is_found(holder: Request) -> None:
    assert find_subagent_tag(holder) == "openrouter,a/b"


@pytest.mark.parametrize(
    "holder",
    [
        request(said("user", "hi")),
        request(said("assistant", TAG)),
        request(said("user", "1"), said("user", "2"), said("user", TAG)),
        request(said("user", "<CCR-SUBAGENT-MODEL>a,b")),
        request(said("user", Block(type="tool_result", content=TAG))),
    ],
)
def test_elsewhere_it_is_only_text(holder: Request) -> None:
    assert find_subagent_tag(holder) == ""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("nothing", "nothing"),
        (f"a{TAG}b", "ab"),
        (f"{TAG}a{TAG}", "a"),
        ("<CCR-SUBAGENT-MODEL>a,b", "<CCR-SUBAGENT-MODEL>a,b"),
        (f"a{TAG}b<CCR-SUBAGENT-MODEL>c", "ab<CCR-SUBAGENT-MODEL>c"),
    ],
)
def test_the_tag_is_taken_out_of_what_is_sent(given: str, expected: str) -> None:
    assert without_subagent_tag(given) == expected
