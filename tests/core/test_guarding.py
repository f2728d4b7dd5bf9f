import asyncio

import pytest
from facts import snapshot

from core.call import Call
from core.errors import RateLimited
from core.exchange import Candidate, Exchange, Target
from core.guarding import Guard, Visit


class Watched(Guard):
    def __init__(self, name: str, said: list[str], refuses: BaseException | None = None) -> None:
        self.name, self.said, self.refuses = name, said, refuses

    async def enter(self, visit: Visit) -> None:
        self.said.append(f"{self.name} in")
        if self.refuses:
            raise self.refuses

    def leave(self, visit: Visit) -> None:
        self.said.append(f"{self.name} out")

    def headers(self, visit: Visit) -> dict[str, str]:
        return {self.name: "1"}


def visit(*guards: Guard) -> Visit:
    return Visit(guards, Exchange("req_1", "/v1/messages", "anthropic"), snapshot().settings)


async def passed(one: Visit) -> dict[str, str]:
    async with one:
        return one.headers()


def test_guards_are_left_in_reverse_once_whatever_happens() -> None:
    said: list[str] = []
    assert asyncio.run(passed(visit(Watched("a", said), Watched("b", said)))) == {"a": "1", "b": "1"}
    assert said == ["a in", "b in", "b out", "a out"]


@pytest.mark.parametrize("refusal", [RateLimited("too many"), asyncio.CancelledError()])
def test_who_is_refused_leaves_those_that_it_has_come_to(refusal: BaseException) -> None:
    said: list[str] = []
    with pytest.raises(type(refusal)):
        asyncio.run(passed(visit(Watched("a", said), Watched("b", said, refusal), Watched("c", said))))
    assert said == ["a in", "b in", "b out", "a out"]


def test_who_has_no_say_hears_no_more_of_it() -> None:
    class Other(Watched):
        def concerns(self, visit: Visit) -> bool:
            return False

        async def reserve(self, visit: Visit, call: Call) -> None:
            raise AssertionError("it has no say")

        async def at_target(self, visit: Visit, call: Call, candidate: Candidate) -> None:
            raise AssertionError("it has no say")

    said: list[str] = []
    one = visit(Other("a", said), Watched("b", said))
    call = Call(one.exchange, snapshot(), {}, {}, "", 0, 0)

    async def passing() -> dict[str, str]:
        async with one:
            await one.reserve(call)
            await one.at_target(call, Candidate(Target("one", "main")))
        return one.headers()

    assert asyncio.run(passing()) == {"b": "1"}
    assert said == ["b in", "b out"]
