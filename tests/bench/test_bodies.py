import msgspec
import pytest

from bench import bodies
from core.dialects import CLIENTS
from core.lab.traffic.writer import Writer


@pytest.mark.parametrize(("make", "size"), [(bodies.small, 300), (bodies.kilo, 1_000), (bodies.large, 100_000)])
def test_bodies_are_requests_of_their_size(make: object, size: int) -> None:
    assert callable(make)
    body = make()
    assert size * 0.97 <= len(body) <= size * 1.03
    assert CLIENTS["anthropic"].decode_request(body).model == bodies.MODEL


def test_the_large_one_is_an_agents_session() -> None:
    request = CLIENTS["anthropic"].decode_request(bodies.large())
    kinds = {block.type for message in request.messages for block in message.content}
    assert len(request.messages) == bodies.TURNS
    assert kinds == {"text", "tool_use", "tool_result"}
    assert len(request.tools) == 12


def test_every_run_has_the_same_bodies() -> None:
    assert bodies.large() == bodies.large()
    assert Writer(7).text(5_000) == Writer(7).text(5_000) != Writer(8).text(5_000)


def test_a_text_has_the_length_that_was_asked_for() -> None:
    assert [len(Writer(1).prose(n)) for n in (1, 50, 5_000)] == [1, 50, 5_000]


def test_a_wish_is_added_to_the_last_words() -> None:
    messages = msgspec.json.decode(bodies.asking(bodies.large(), "Please."))["messages"]
    assert messages[-1]["content"][-1]["text"].endswith(" Please.")
