"""Names that fit, and the way back."""

import re

from hypothesis import given
from hypothesis import strategies as st

from core.dialects.tool_names import fitting, restoring
from core.messages import Block, BlockStart, Message, Request, Tool

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


@given(NAMES, st.sampled_from([64, 128]))
def test_every_name_is_made_to_fit_and_fitting_ones_stay(name: str, longest: int) -> None:
    short = fitting(name, longest)
    assert re.fullmatch(rf"[a-zA-Z0-9_-]{{1,{longest}}}", short)
    assert (short == name) == bool(re.fullmatch(rf"[a-zA-Z0-9_-]{{1,{longest}}}", name))
    assert fitting(short, longest) == short


def test_names_with_one_beginning_stay_apart() -> None:
    assert len({fitting("x" * 70 + str(number), 64) for number in range(100)}) == 100


def test_an_answer_calls_tools_by_their_own_names() -> None:
    long, other = "y" * 70, "a.b"
    tools = [Tool(name=name) for name in (long, "f", other)]
    request = Request(
        dialect="anthropic", raw=b"{}", model="m", messages=[Message(role="user", content=[])], tools=tools
    )
    change = restoring(request, "openai")
    assert change is not None
    for name, expected in ((fitting(long, 64), long), (fitting(other, 64), other), ("f", "f"), ("z", "z")):
        [event] = change.take(BlockStart(0, Block(type="tool_use", id="t", name=name)))
        assert event == BlockStart(0, Block(type="tool_use", id="t", name=expected))
    request.tools = [Tool(name="f"), Tool(name=long, type="web_search")]
    assert restoring(request, "openai") is None
    assert restoring(request, "ollama") is None
