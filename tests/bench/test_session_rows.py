"""The benches of sessions measure what they say they do."""

from itertools import pairwise
from random import Random

import msgspec

from bench import agent_session, random_sessions, sessions
from bench.random_sessions import TARGETS, Session, Turn, costs_of
from core.dialects import CLIENTS
from core.features import FeatureSettings, extract
from wasm_host.rule import RuleSet

CHEAP = "groq,llama-3.3-70b-versatile"
ASKED = agent_session.session()


def test_the_session_is_what_its_name_says() -> None:
    classes: list[str] = []
    images = loops = 0
    sizes: list[int] = []
    for ask in ASKED:
        request = CLIENTS["anthropic"].decode_request(ask.body)
        facts = extract(request, ask.headers, token_count=0, settings=FeatureSettings(), client_key="")
        classes.append(facts.request_class)
        if agent_session.is_turn(ask):
            images += facts.image_in_last_turn
            loops += facts.tool_loop
            sizes.append(len(ask.body))
            assert facts.thread == ""
    assert (len([ask for ask in ASKED if agent_session.is_turn(ask)]), images) == (agent_session.TURNS, 1)
    assert loops == agent_session.TURNS - len(agent_session.PROMPTS)
    assert sum(size > 300_000 for size in sizes) == 1
    assert {"main", "auxiliary", "subagent", "compaction"} == set(classes)
    assert classes.count("compaction") == 1
    assert [ask.at_ms for ask in ASKED] == sorted(ask.at_ms for ask in ASKED)


def test_with_stickiness_the_session_switches_less_hits_more_and_costs_less() -> None:
    plain, sticky = (sessions.play(ASKED, sessions.snapshot(RuleSet(), sticky=on)) for on in (False, True))
    assert sticky.micros < plain.micros
    assert sticky.switches < plain.switches
    assert sticky.hits > plain.hits
    assert sticky.again < plain.again
    assert not any(reason.startswith("sticky:") for reason in plain.reasons)
    assert {"image", "long_context", "sticky:default"} <= set(sticky.reasons)


def test_a_session_that_nothing_takes_away_costs_the_same_either_way() -> None:
    turn = Turn(wish=None, added=500, output=100, gap_ms=20_000, loop=False)
    plain, sticky = costs_of(Session(1, (turn,) * 5))
    assert plain == sticky
    # 9000 + 5 · 500 tokens are written once, all before them is read, by Sonnet's prices.
    sent = [9_500 + 600 * place for place in range(5)]
    read = sum(sent[:-1]) * 3 // 10
    written = (sent[0] + sum(later - before for before, later in pairwise(sent))) * 15 // 4
    assert plain == read + written + 5 * 100 * 15


def test_the_search_finds_a_session_that_is_worse() -> None:
    dear = Turn(wish=1, added=30_000, output=100, gap_ms=20_000, loop=False)
    quick, slow = (Turn(wish=None, added=500, output=100, gap_ms=gap, loop=True) for gap in (5_000, 400_000))
    back = msgspec.structs.replace(quick, loop=False)
    # A dear target's cache is gone before each of its tools is done, and the loop keeps the session there.
    sticky, plain = costs_of(Session(TARGETS.index(CHEAP), (dear, *[quick] * 5, back, *[slow] * 9)))
    assert sticky > plain
    drawn = random_sessions.draw(Random(3))  # noqa: S311
    worst = random_sessions.search([drawn], Random(4), 10)  # noqa: S311
    assert _ratio(worst) > _ratio(drawn)


def _ratio(session: Session) -> float:
    sticky, plain = costs_of(session)
    return sticky / plain
