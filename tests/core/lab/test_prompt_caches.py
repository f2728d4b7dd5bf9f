from core.exchange import Target
from core.lab.prompt_caches import KEEP_MS, PromptCaches
from core.messages import Usage
from core.schema import Price

ONE, TWO = Target("p", "one"), Target("p", "two")
ALWAYS, TOLD, NEVER = Price(cache_read=1), Price(cache_read=1, cache_write=2), Price(input=1)
SHORT = [("system", 1000), ("question", 500)]
LONG = [*SHORT, ("answer", 300), ("next", 200)]


def test_what_was_sent_before_is_read_and_the_rest_is_new() -> None:
    caches = PromptCaches()
    assert caches.ask(ONE, ALWAYS, SHORT, 7, 0) == Usage(input=1500, output=7)
    assert caches.ask(ONE, ALWAYS, LONG, 7, 1) == Usage(input=500, cache_read=1500, output=7)
    assert caches.ask(TWO, TOLD, LONG, 0, 2) == Usage(cache_write=2000)
    assert caches.ask(TWO, TOLD, [*LONG, ("more", 1)], 0, 3) == Usage(cache_write=1, cache_read=2000)


def test_a_prompt_that_differs_is_read_up_to_there_if_that_is_enough() -> None:
    caches = PromptCaches()
    caches.ask(ONE, ALWAYS, [("system", 1200), ("one", 5000)], 0, 0)
    assert caches.ask(ONE, ALWAYS, [("system", 1200), ("two", 10)], 0, 1).cache_read == 1200
    assert caches.ask(ONE, ALWAYS, [("other", 1200), ("one", 5000)], 0, 1).cache_read == 0
    caches.ask(TWO, ALWAYS, SHORT, 0, 0)
    assert caches.ask(TWO, ALWAYS, [("system", 1000), ("two", 500)], 0, 1).cache_read == 0


def test_each_use_renews_what_was_used() -> None:
    caches = PromptCaches()
    caches.ask(ONE, ALWAYS, SHORT, 0, 0)
    assert caches.ask(ONE, ALWAYS, SHORT, 0, KEEP_MS).cache_read == 1500
    assert caches.ask(ONE, ALWAYS, SHORT, 0, 2 * KEEP_MS).cache_read == 1500
    assert caches.ask(ONE, ALWAYS, SHORT, 0, 3 * KEEP_MS + 1).cache_read == 0


def test_short_prompts_and_targets_without_a_cache_are_paid_in_full() -> None:
    caches = PromptCaches()
    for _ in range(2):
        assert caches.ask(ONE, ALWAYS, [("system", 1023)], 0, 0) == Usage(input=1023)
        assert caches.ask(TWO, NEVER, SHORT, 0, 0) == Usage(input=1500)
