"""How fast text is counted and matched."""

import time
from collections.abc import Iterator

from bench import bodies
from bench.decisions import ROOT, WISH
from bench.row import Row, number
from bench.stats import median, milliseconds, percentile, spread
from core.lab.traffic.writer import Writer
from core.messages import Block, Message, Request
from core.rolegraph import Matcher, load_taxonomy
from core.tokens import TokenCounter
from core.vocab import DEFAULT, TiktokenCounter, text_counter

#: A conversation of this many texts of this many characters: about two million characters in all.
TEXTS, CHARACTERS = 400, 5_000
PATTERN_CHARACTERS = 10_000


def rows(rounds: int, runs: int) -> Iterator[Row]:
    """Tokens of a long conversation, then concepts in 10 KB. How both grow is in `bench.scale`."""
    yield from _tokens(rounds)
    yield from _patterns(runs)


def _tokens(rounds: int) -> Iterator[Row]:
    suite = f"Tokens, {DEFAULT}, a conversation of {TEXTS} texts of {CHARACTERS} characters"
    writer = Writer(3)
    texts = [writer.text(CHARACTERS) for _ in range(TEXTS)]
    request = _conversation(texts)
    shipped, reference = text_counter(DEFAULT), TiktokenCounter(DEFAULT)
    if shipped.count(texts) != reference.count(texts):
        raise RuntimeError("the shipped counter and tiktoken do not agree")
    figures: dict[str, list[float]] = {"cold": [], "warm": [], "tiktoken": []}
    for _ in range(rounds):
        counter = TokenCounter(make=lambda _: shipped)
        for state in ("cold", "warm"):
            begin = time.perf_counter()
            tokens = counter.count(request)
            figures[state].append(tokens / (time.perf_counter() - begin) / 1e6)
        begin = time.perf_counter()
        total = sum(reference.count(texts))
        figures["tiktoken"].append(total / (time.perf_counter() - begin) / 1e6)
    for name, bound in (("cold", 10.0), ("warm", 50.0), ("tiktoken", None)):
        yield _rate(suite, name, figures[name], bound)


def _rate(suite: str, name: str, rates: list[float], bound: float | None) -> Row:
    ends = (min(rates), max(rates))
    return Row(suite=suite, name=name, value=median(rates), unit="M/s", bound=bound, better="higher", spread=ends)


def _conversation(texts: list[str]) -> Request:
    messages = [
        Message(role="assistant" if index % 2 else "user", content=[Block(type="text", text=text)])
        for index, text in enumerate(texts)
    ]
    return Request(dialect="anthropic", raw=b"", model=bodies.MODEL, messages=messages)


def _patterns(runs: int) -> Iterator[Row]:
    matcher = Matcher(load_taxonomy(ROOT / "taxonomy"))
    count = len({pattern.text for concept in matcher.taxonomy.concepts for pattern in concept.patterns})
    suite = f"Patterns, the shipped taxonomy ({count}), {PATTERN_CHARACTERS // 1000} KB"
    writer = Writer(4)
    prose, mixed = writer.prose(PATTERN_CHARACTERS), writer.text(PATTERN_CHARACTERS)
    for name, text, found in (
        ("prose, no match", prose, False),
        ("prose and code, no match", mixed, False),
        ("prose, a wish at its end", f"{prose[:-40]} {WISH}", True),
    ):
        if bool(matcher.routing(text)) is not found:
            raise RuntimeError(f"{name}: {[match.concept for match in matcher.routing(text)]}")
        samples = milliseconds(lambda text=text: matcher.routing(text), runs)  # type: ignore[misc]
        high = percentile(samples, 99)
        yield Row(
            suite=suite, name=name, value=percentile(samples, 50), unit="ms p50", bound=0.2, spread=spread(samples),
            note=f"p99 {number(high)}", figures={"p99_ms": high},
        )  # fmt: skip
