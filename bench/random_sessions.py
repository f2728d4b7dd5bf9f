"""Random sessions, with and without stickiness, and a search for those where staying costs more than following.

A session is a list of requests, each with what was said (a concept or none), what it adds, how long its answer is, how
long it came after the one before, and whether it goes on with tool results. The search keeps the sessions where staying
cost most in proportion, changes a request or two of each, and begins again.
"""

from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any, Final

import msgspec
from msgspec import Struct

from bench.row import Row, number
from bench.stats import percentile
from core import presets, session
from core.exchange import Decision, Features, SessionState, Spent
from core.lab.prompt_caches import PromptCaches
from core.prices import cost
from core.rolegraph import build_taxonomy
from core.routing.decide import decide
from core.routing.snapshot import Snapshot, build
from wasm_host.rule import RuleSet

#: A concept each. Their prices are the catalogue's: dear and cheap, with and without one for writing to the cache.
TARGETS: Final = (
    "anthropic,claude-opus-4-5", "anthropic,claude-sonnet-4-6", "anthropic,claude-haiku-4-5", "openai,gpt-5",
    "gemini,gemini-2.5-flash", "deepseek,deepseek-chat", "groq,llama-3.3-70b-versatile",
)  # fmt: skip
SUITE: Final = "Random sessions of 2 to 40 requests, cost with stickiness by cost without (simulated prompt caches)"
KEPT: Final = 20
#: Unix time.
START_MS: Final = 1_763_800_000_000


class Turn(Struct, frozen=True):
    """One request. `wish` is the place of a target in TARGETS, or None: nothing that was said names one."""

    wish: int | None
    added: int
    output: int
    gap_ms: int
    loop: bool


class Session(Struct, frozen=True):
    """`default` is a place in TARGETS."""

    default: int
    turns: tuple[Turn, ...]


def rows(sessions: int, rounds: int) -> Iterator[Row]:
    """Of random sessions, then of the worst that the search found."""
    random = Random(7)  # noqa: S311 (a bench, no secret)
    drawn = [draw(random) for _ in range(sessions)]
    costs = [costs_of(one) for one in drawn]
    ratios = [sticky / plain for sticky, plain in costs]
    whole = sum(sticky for sticky, _ in costs) / sum(plain for _, plain in costs)
    dearer = sum(sticky > plain for sticky, plain in costs)
    note = f"{dearer} dearer; each p50 {number(percentile(ratios, 50))}, p99 {number(percentile(ratios, 99))}"
    yield _row(f"{sessions} sessions, all together", whole, note, dearer=dearer)
    worst = search(drawn, random, rounds)
    sticky, plain = costs_of(worst)
    paid = f"{sticky / 1e6:.4f} instead of {plain / 1e6:.4f} US dollars"
    note = f"{paid}, {len(worst.turns)} requests, default {TARGETS[worst.default]}"
    yield _row(f"the worst of {rounds} rounds of a search", sticky / plain, note)


def _row(name: str, ratio: float, note: str, **figures: float) -> Row:
    return Row(suite=SUITE, name=name, value=ratio, unit="times", note=note, figures=figures)


def draw(random: Random) -> Session:
    """A session of any kind."""
    turns = tuple(_turn(random) for _ in range(random.randint(2, 40)))
    return Session(random.randrange(len(TARGETS)), (msgspec.structs.replace(turns[0], loop=False), *turns[1:]))


def _turn(random: Random) -> Turn:
    return Turn(
        wish=random.randrange(len(TARGETS)) if random.random() < 0.25 else None,
        added=round(10 ** random.uniform(1.5, 4.3)),
        output=round(10 ** random.uniform(0.5, 3.5)),
        gap_ms=random.choice((5_000, 20_000, 60_000, 200_000, 400_000)),
        loop=random.random() < 0.6,
    )


def search(sessions: list[Session], random: Random, rounds: int) -> Session:
    """The session where staying costs most in proportion."""
    best = sorted(sessions, key=_ratio, reverse=True)[:KEPT]
    for _ in range(rounds):
        best = sorted([*best, *(_changed(one, random) for one in best)], key=_ratio, reverse=True)[:KEPT]
    return best[0]


def _ratio(one: Session) -> float:
    sticky, plain = costs_of(one)
    return sticky / plain


def _changed(one: Session, random: Random) -> Session:
    turns = list(one.turns)
    at = random.randrange(len(turns))
    match random.randrange(4):
        case 0 if len(turns) > 2:
            del turns[at]
        case 1 if len(turns) < 40:
            turns.insert(at, _turn(random))
        case 2:
            return msgspec.structs.replace(one, default=random.randrange(len(TARGETS)))
        case _:
            turns[at] = _turn(random)
    return Session(one.default, tuple(turns))


@cache
def costs_of(one: Session) -> tuple[int, int]:
    """Micro-USD with stickiness and without."""
    return _cost(one, sticky=True), _cost(one, sticky=False)


@cache
def _snapshot(default: int, *, sticky: bool) -> Snapshot:
    files = [
        (f"c{place}.md", f"# C{place}\nroute:: {target}\nsynonyms:: wish{place}\n")
        for place, target in enumerate(TARGETS)
    ]
    routing = {"default": TARGETS[default], "long_context_threshold": 10_000_000}
    settings = presets.embedded(set(), {"routing": routing, "sessions": {"sticky": sticky}})
    return build(settings, build_taxonomy(files), RuleSet())


def _cost(one: Session, *, sticky: bool) -> int:
    shot, caches = _snapshot(one.default, sticky=sticky), PromptCaches()
    state, now_ms, said, tokens = SessionState(), START_MS, "", 9_000
    prompt, bill = [("system", tokens)], list[Spent]()
    for place, turn in enumerate(one.turns):
        now_ms += turn.gap_ms
        if not turn.loop:
            said = "" if turn.wish is None else f"wish{turn.wish}"
        prompt.append((f"turn {place}", turn.added))
        tokens += turn.added
        facts = _features(said, tokens, now_ms, loop=turn.loop)
        decision = _decided(shot, facts, state)
        target = decision.candidates[0].target
        price = shot.card(target).price
        usage = caches.ask(target, price, prompt, turn.output, now_ms)
        bill.append(Spent(target, usage))
        prompt.append((f"answer {place}", turn.output))
        tokens += turn.output
        state = session.after(state, facts, decision, target, usage, price) or state
    return cost(bill, shot.card).micros


def _decided(shot: Snapshot, facts: Features, state: SessionState) -> Decision:
    try:
        next(decide(shot, facts, state))
    except StopIteration as end:
        decision: Decision = end.value
        return decision
    raise RuntimeError("there are no rules to ask")


def _features(said: str, tokens: int, now_ms: int, *, loop: bool) -> Features:
    facts: dict[str, Any] = {
        "dialect": "anthropic", "model": "auto", "stream": True, "max_tokens": None, "token_count": tokens,
        "message_count": 1, "tools": (), "last_user": said, "thinking": False, "effort": "none", "web_search": False,
        "images": 0, "image_in_last_turn": False, "request_class": "main", "background": False, "plan_mode": False,
        "subagent": False, "subagent_target": "", "session_id": "s", "client_key": "", "agent": "",
    }  # fmt: skip
    return Features(**facts, now_ms=now_ms, tool_loop=loop)
