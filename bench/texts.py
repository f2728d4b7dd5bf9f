"""How fast text is counted and matched."""

import time
from collections.abc import Iterator

from bench import bodies
from bench.decisions import ROOT, WISH
from bench.row import Row, number
from bench.stats import median, milliseconds, percentile, spread
from core.lab.traffic.writer import Writer
from core.messages import Block, Message, Request
from core.rolegraph import Matcher, build_taxonomy, load_taxonomy
from core.tokens import TokenCounter
from core.vocab import DEFAULT, TiktokenCounter, text_counter

#: A conversation of this many texts of this many characters: about two million characters in all.
TEXTS, CHARACTERS = 400, 5_000
PATTERN_CHARACTERS = 10_000
#: Tokens of the conversation that gets a next turn, and what issue 9 says of it (ms).
LONG_TOKENS, NEXT_TURN_MS = 100_000, 1.0
#: A taxonomy of 100 000 patterns: issue 9's bounds for making it (s) and for 10 KB through it (ms).
CONCEPTS, SYNONYMS, BUILD_S, MATCH_MS = 1000, 100, 2.0, 1.0


def rows(rounds: int, runs: int) -> Iterator[Row]:
    """Tokens of a long conversation and of its next turn, then concepts in 10 KB, of the shipped ones and of many."""
    yield from _tokens(rounds)
    yield _next_turn(runs)
    yield from _patterns(runs)
    yield from _many_patterns(rounds, runs)


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


def _next_turn(runs: int) -> Row:
    """An answer and a question more, counted; the rest is known, but read anew from the request's bytes."""
    writer, shipped = Writer(5), text_counter(DEFAULT)
    texts: list[str] = []
    while sum(shipped.count(texts)) < LONG_TOKENS:
        texts += [writer.text(CHARACTERS) for _ in range(20)]
    counter = TokenCounter(make=lambda _: shipped)
    counter.count(_conversation(texts))
    samples = []
    for _ in range(max(5, runs // 20)):
        texts += [writer.text(800), writer.prose(200)]
        request = _conversation([text.encode().decode() for text in texts])
        begin = time.perf_counter()
        counter.count(request)
        samples.append((time.perf_counter() - begin) * 1000)
    high = percentile(samples, 99)
    return Row(
        suite=f"Tokens, {DEFAULT}, a conversation of {LONG_TOKENS // 1000} k tokens", name="its next turn, 1 KB more",
        value=percentile(samples, 50), unit="ms p50", bound=NEXT_TURN_MS, spread=spread(samples),
        note=f"p99 {number(high)}", figures={"p99_ms": high},
    )  # fmt: skip


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


def _many_patterns(rounds: int, runs: int) -> Iterator[Row]:
    """Made from the files' texts; then prose through it, with one of the patterns at its end."""
    suite = f"Patterns, a taxonomy of {CONCEPTS * SYNONYMS:,}"
    files = list(_files(Writer(6)))
    built = []
    for _ in range(max(1, rounds // 2)):
        begin = time.perf_counter()
        matcher = Matcher(build_taxonomy(files))
        built.append(time.perf_counter() - begin)
    yield Row(
        suite=suite, name="built from texts", value=median(built), unit="s", bound=BUILD_S,
        spread=(min(built), max(built)),
    )  # fmt: skip
    named = files[-1][1].rpartition(", ")[2].strip()
    text = f"{Writer(4).prose(PATTERN_CHARACTERS - len(named) - 1)} {named}"
    if not matcher.routing(text):
        raise RuntimeError(f"{named!r} matches nothing")
    samples = milliseconds(lambda: matcher.routing(text), runs)
    high = percentile(samples, 99)
    yield Row(
        suite=suite, name="10 KB of prose, a match at its end", value=percentile(samples, 50),
        unit="ms p50", bound=MATCH_MS, spread=spread(samples), note=f"p99 {number(high)}", figures={"p99_ms": high},
    )  # fmt: skip


def _files(writer: Writer) -> Iterator[tuple[str, str]]:
    """One for each concept; the number makes each synonym another."""
    for concept in range(CONCEPTS):
        said = (f"{writer.word()} {writer.word()} {concept * SYNONYMS + at:x}" for at in range(SYNONYMS))
        text = f"# Made {concept}\nroute:: anthropic, claude-sonnet-4-5\nsynonyms:: {', '.join(said)}\n"
        yield f"made_{concept}.md", text
