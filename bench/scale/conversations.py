"""The next turn of a conversation, by the turns that were before: counted alone, and from its bytes to its decision.

A turn adds 1 KB of text. What was there before is known, but comes anew with the request's bytes: reading them is
proportional to them, and all the rest has to be less.
"""

import asyncio
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import count
from typing import Any, Final

import msgspec

from bench import bodies
from bench.decisions import at_once, prepared, snapshot
from bench.row import Row
from bench.scale.curve import Curve, at, row
from bench.scale.measuring import Asked, Effort, cpu_ms, curves
from core.dialects import CLIENTS
from core.lab.traffic.writer import Writer
from core.messages import Request
from core.tokens import TokenCounter
from wasm_host.rule import RuleSet

TURNS: Final = (1, 3, 10, 30, 100, 300, 1000)
#: Characters of an answer and of a question.
ANSWER, QUESTION = 750, 250
#: Tokens of the conversation that issue 9 has a bound for, and the bound (ms).
LONG_TOKENS, NEXT_TURN_MS = 100_000, 1.0
SUITE: Final = "Scale: the next turn of a conversation, 1 KB a turn"
COUNTED, DECIDED = "its tokens counted", "from its bytes to its decision"


def measured(effort: Effort) -> Iterator[tuple[Row, Curve | None]]:
    """Both costs; at 100 k tokens, too."""
    counter, numbers = TokenCounter(), count()
    call, pipeline = prepared(bodies.small(), snapshot(RuleSet()))

    def nexts(turns: int) -> list[bytes]:
        """The same conversation with other last turns, each never seen."""
        return [conversation(turns, next(numbers)) for _ in range(effort.runs)]

    def measure(turns: int) -> dict[str, float]:
        known = conversation(turns, next(numbers))
        counter.count(_read(known))
        asyncio.run(pipeline.explain(call, known))
        return {
            COUNTED: cpu_ms(_counting(counter, body) for body in nexts(turns)),
            DECIDED: cpu_ms(partial(at_once, pipeline.explain(call, body)) for body in nexts(turns)),
        }

    asked = [Asked(COUNTED, "ms", 1.1), Asked(DECIDED, "ms", 1.1)]
    found = curves(SUITE, "turns", asked, effort.upto(TURNS), effort.rounds, measure)
    for curve in found:
        yield row(curve), curve
    long = _turns_of(LONG_TOKENS)
    [curve, _] = curves(SUITE, "turns", asked, [long], effort.rounds, measure)
    yield at(curve, long, NEXT_TURN_MS, f"counted behind {LONG_TOKENS // 1000} k tokens, {long} turns"), None


def _counting(counter: TokenCounter, body: bytes) -> Callable[[], int]:
    """Of a request that was read from its bytes just now: nothing of it was ever hashed."""
    return partial(counter.count, _read(body))


def _read(body: bytes) -> Request:
    return CLIENTS["anthropic"].decode_request(body)


def _turns_of(tokens: int) -> int:
    """So many turns have so many tokens."""
    some = 100
    return round(tokens / TokenCounter().count(_read(conversation(some, 0))) * some)


def conversation(turns: int, number: int) -> bytes:
    """Questions and answers, of which the last is what `number` makes of it."""
    messages: list[dict[str, Any]] = []
    for turn in range(turns):
        question, answer = _turn(turn)
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    question, answer = _turn(turns)
    messages[-1:] = [{"role": "assistant", "content": f"{answer} {number}"}]
    messages.append({"role": "user", "content": f"{question} {number}"})
    return msgspec.json.encode({"model": bodies.MODEL, "max_tokens": 1024, "stream": True, "messages": messages})


@cache
def _turn(number: int) -> tuple[str, str]:
    writer = Writer(number)
    return writer.prose(QUESTION), writer.text(ANSWER)
