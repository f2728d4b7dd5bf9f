"""What is noted of a request that is traced, while it is under way: its place in the trace, and moments. Pure.

Spans are made of it afterwards (`spans`), by whoever owns the tracing library (`otel`). A request that is not traced
has none of this.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")
Result = TypeVar("Result")


class Asked(NamedTuple):
    """Rules were asked together, from when until when (ms after the request's arrival)."""

    began_ms: float
    ended_ms: float


class Tried(NamedTuple):
    """A target was asked: when (ms after arrival), and the id of the span that this will be."""

    began_ms: float
    span_id: int


@dataclass
class Trace:
    """`trace_id` and `span_id` are hex, as logs and headers write them; `held` is the library's own span."""

    trace_id: str
    span_id: str
    held: Any
    #: Unix time of the request's arrival.
    began_ns: int = 0
    #: Made into spans afterwards; without it only the context travels on.
    recorded: bool = True
    new_id: Callable[[], int] = lambda: 0
    #: Headers for the provider, of the span with this id; None if it is told nothing.
    carry: Callable[[int], Mapping[str, str]] | None = None
    #: The body was whole, in ms after arrival.
    received_ms: float | None = None
    asked: list[Asked] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)

    def trying(self, began_ms: float) -> None:
        """A target is being asked."""
        self.tried.append(Tried(began_ms, self.new_id()))

    def for_provider(self) -> Mapping[str, str]:
        """Headers of the present attempt."""
        return self.carry(self.tried[-1].span_id) if self.carry and self.tried else {}


def noting(
    deciding: Generator[Question, Answer, Result], asked: list[Asked], clock_ms: Callable[[], float]
) -> Generator[Question, Answer, Result]:
    """The same generator; `asked` gets when each of its questions was put and answered."""
    try:
        question = next(deciding)
        while True:
            began = clock_ms()
            answer = yield question
            asked.append(Asked(began, clock_ms()))
            question = deciding.send(answer)
    except StopIteration as end:
        result: Result = end.value
        return result
