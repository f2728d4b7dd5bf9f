import pytest

from core.exchange import CANCELLED, Attempt, Candidate, Decision, Exchange, Spent, Target
from core.messages import Usage

ONE, TWO, EYES = Target("a", "one"), Target("b", "two"), Target("c", "eyes")
LOOK, SOME = Usage(input=30, output=3), Usage(input=100, output=20)


def exchange(*attempts: tuple[Target, str], answered_by: Target | None = None) -> Exchange:
    decision = Decision("default", "default", (Candidate(ONE, tokens=77), Candidate(TWO, tokens=88)), "s")
    one = Exchange("req_1", "/v1/messages", "anthropic", decision=decision, answered_by=answered_by)
    one.attempts = [Attempt(target, outcome, 1.0) for target, outcome in attempts]
    return one


def test_each_attempt_is_billed_at_its_own_target() -> None:
    one = exchange((ONE, "cut"), (TWO, "ok"), answered_by=TWO)
    one.lose(ONE, SOME)
    one.usage = Usage(input=5, output=6)
    assert one.bill() == [Spent(ONE, SOME), Spent(TWO, one.usage)]
    assert one.lost == SOME


def test_looks_at_images_are_billed_where_they_were_made_and_once() -> None:
    one = exchange((ONE, "cut"), (TWO, "ok"), answered_by=TWO)
    one.looked(EYES, LOOK)
    one.lose(ONE, SOME.plus(LOOK))
    one.looked(EYES, LOOK)
    one.usage = SOME.plus(LOOK)
    assert one.bill() == [Spent(EYES, LOOK), Spent(ONE, SOME), Spent(EYES, LOOK), Spent(TWO, SOME)]


@pytest.mark.parametrize(
    ("attempts", "answered_by", "least"),
    [
        ([(ONE, "ok")], ONE, Spent(ONE, Usage(input=77, output=4), estimated=True)),
        ([(ONE, "cut")], ONE, Spent(ONE, Usage(input=77, output=4), estimated=True)),
        ([(ONE, "529"), (TWO, CANCELLED)], None, Spent(TWO, Usage(input=88, output=4), estimated=True)),
        ([(EYES, "ok")], EYES, Spent(EYES, Usage(output=4), estimated=True)),
    ],
    ids=["said nothing", "broke off", "client left", "not a candidate"],
)
def test_who_does_not_say_what_was_used_is_billed_the_least(
    attempts: list[tuple[Target, str]], answered_by: Target | None, least: Spent
) -> None:
    one = exchange(*attempts, answered_by=answered_by)
    one.contents = 4
    assert one.bill() == [least]


def test_what_failed_with_an_error_costs_nothing() -> None:
    assert exchange((ONE, "529"), (TWO, "not_sent")).bill() == []
    assert exchange().bill() == []


def test_what_is_simulated_costs_nothing() -> None:
    one = exchange((ONE, "ok"), answered_by=ONE)
    one.usage, one.simulated = SOME, True
    assert one.bill() == []


def test_content_is_what_was_asked_for_and_not_how_it_begins() -> None:
    one = exchange((ONE, "ok"), answered_by=ONE)
    assert not one.has_content
    one.contents = 1
    assert one.has_content


@pytest.mark.parametrize("name", ["simulated", "cache"])
def test_what_nobody_was_asked_for_is_all_content(name: str) -> None:
    one = exchange()
    setattr(one, name, {"simulated": True, "cache": "hit"}[name])
    assert one.has_content


def test_times_count_from_the_arrival() -> None:
    one = exchange()
    one.arrived = 2.0
    assert one.ms_since_arrival(2.5) == 500
