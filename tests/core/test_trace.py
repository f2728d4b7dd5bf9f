from collections.abc import Generator

import pytest

from core.trace import Asked, Trace, Tried, noting


def deciding() -> Generator[str, int, int]:
    first = yield "one"
    second = yield "two"
    return first + second


def test_when_questions_were_put_and_answered_is_noted_and_nothing_else_changes() -> None:
    moments = iter([1.0, 2.5, 3.0, 4.0])
    asked: list[Asked] = []
    noted = noting(deciding(), asked, lambda: next(moments))
    assert next(noted) == "one"
    assert noted.send(20) == "two"
    with pytest.raises(StopIteration) as end:
        noted.send(3)
    assert end.value.value == 23
    assert asked == [Asked(1.0, 2.5), Asked(3.0, 4.0)]


def test_what_a_generator_raises_comes_through() -> None:
    def failing() -> Generator[str, int, int]:
        yield "one"
        raise ValueError("no answer")

    noted = noting(failing(), [], lambda: 0.0)
    next(noted)
    with pytest.raises(ValueError, match="no answer"):
        noted.send(1)


def test_a_provider_is_told_of_the_present_attempt() -> None:
    ids = iter([7, 8])
    trace = Trace("a" * 32, "b" * 16, None, new_id=lambda: next(ids), carry=lambda at: {"traceparent": str(at)})
    assert trace.for_provider() == {}
    trace.trying(1.5)
    trace.trying(2.5)
    assert trace.tried == [Tried(1.5, 7), Tried(2.5, 8)]
    assert trace.for_provider() == {"traceparent": "8"}


def test_nobody_is_told_otherwise() -> None:
    trace = Trace("a" * 32, "b" * 16, None)
    trace.trying(1.0)
    assert trace.for_provider() == {}
