"""What targets were asked and cost."""

from core.exchange import Attempt, Candidate, Cost, Decision, Exchange, Spent, Target
from core.messages import Usage
from core.schema import ModelCard
from core.sections import Section
from core.target_figures import STEP_MS, STEPS, TargetCounts, TargetFigures

A, B, MADE_UP = Target("p", "a"), Target("p", "b"), Target("p", "made-up")
CARD = ModelCard.model_validate({"price": {"input": 1.0, "output": 2.0}})
assert isinstance(CARD, Section)


def exchange(*attempts: tuple[Target, str], usage: Usage, answered: Target | None) -> Exchange:
    made = Exchange("req_1", "/v1/messages", "anthropic")
    made.decision = Decision("default", "default", (Candidate(A),), "a" * 12)
    made.attempts = [Attempt(target, outcome, 1.0) for target, outcome in attempts]
    made.usage, made.answered_by = usage, answered
    return made


def test_attempts_failures_and_money_count_at_their_targets() -> None:
    figures = TargetFigures()
    figures.keep([A, B])
    now = 100 * STEP_MS
    one = exchange((A, "500"), (A, "cancelled"), (B, "ok"), usage=Usage(input=1_000_000), answered=B)
    one.spent.append(Spent(A, Usage(input=10)))
    figures.over(one, lambda _: CARD, now)
    assert figures.of(A, now) == TargetCounts(2, 1, 10)
    assert figures.of(B, now) == TargetCounts(1, 0, 1_000_000)
    assert figures.of(A, now + STEPS * STEP_MS) == TargetCounts()


def test_what_is_known_already_is_not_priced_again() -> None:
    figures = TargetFigures()
    figures.keep([A])
    one = exchange((A, "ok"), usage=Usage(input=5), answered=A)
    one.cost = Cost(77)
    figures.over(one, lambda _: CARD, 5)
    assert figures.of(A, 5) == TargetCounts(1, 0, 77)


def test_simulated_answers_cost_nothing_and_made_up_models_fill_nothing() -> None:
    figures = TargetFigures()
    figures.keep([A])
    one = exchange((A, "ok"), (MADE_UP, "ok"), usage=Usage(input=5), answered=A)
    one.simulated = True
    figures.over(one, lambda _: CARD, 5)
    assert (figures.of(A, 5), figures.of(MADE_UP, 5)) == (TargetCounts(1, 0, 0), TargetCounts())
    figures.keep([])
    assert figures.of(A, 5) == TargetCounts()
