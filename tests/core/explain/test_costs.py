from facts import features, settings, snapshot

from core.exchange import Candidate, Inputs, SessionState, Target, Warm
from core.explain.costs import dollars, of_candidate, of_usage
from core.messages import Usage

SHOT = snapshot(settings(fallback=["openrouter,nobody/unknown"]))
#: 5 dollars a million in, 25 out, 0.5 for reading from the cache and 6.25 for writing to it.
OPUS = Target("anthropic", "claude-opus-4-5")
NOW = 1_000_000


def expected(target: Target, tokens: int, session: SessionState | None = None) -> dict[str, object]:
    facts = features(now_ms=NOW, max_tokens=1000)
    return of_candidate(Candidate(target, tokens=tokens), Inputs(facts, session or SessionState()), SHOT)


def warm(tokens: int, age_s: int = 10) -> SessionState:
    return SessionState(turns=1, output_tokens=300, warm=(Warm(str(OPUS), tokens, NOW - age_s * 1000),))


def test_what_the_cache_holds_is_read_and_the_rest_written() -> None:
    found = expected(OPUS, 10_000, warm(8_000))
    assert (found["cached_tokens"], found["output_tokens"]) == (8_000, 300)
    assert found["micro_usd"] == 8_000 // 2 + 2_000 * 625 // 100 + 300 * 25
    assert found["usd"] == "0.024000"


def test_a_cache_that_is_cold_or_holds_more_than_there_is() -> None:
    assert expected(OPUS, 10_000, warm(8_000, age_s=4_000))["cached_tokens"] == 0
    assert expected(OPUS, 5_000, warm(8_000))["cached_tokens"] == 5_000


def test_without_earlier_answers_only_the_prompt_is_priced() -> None:
    found = expected(OPUS, 2_000)
    assert (found["output_tokens"], found["micro_usd"]) == (None, 2_000 * 625 // 100)
    assert found["most_micro_usd"] == 2_000 * 625 // 100 + 1000 * 25


def test_what_has_no_price_is_said_to_have_none() -> None:
    found = expected(Target("openrouter", "nobody/unknown"), 2_000)
    assert (found["micro_usd"], found["usd"], found["most_micro_usd"]) == (None, None, None)
    assert of_candidate(Candidate(OPUS, tokens=5), Inputs(features()), None)["micro_usd"] is None


def test_dollars_and_usage() -> None:
    assert (dollars(0), dollars(1), dollars(12_345_678)) == ("0.000000", "0.000001", "12.345678")
    assert of_usage(Usage(input=1, cache_read=2)) == {"input": 1, "cache_read": 2}
