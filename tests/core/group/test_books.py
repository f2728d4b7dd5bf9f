from typing import Any

from core.group.books import Books
from core.group.messages import Share
from core.state.budgets_redis import Shared

DAY, MONTH = "2026-11-23", "2026-11"


def said(wanted: int = -1, request: str = "", spent: int = 0, limit: int = 1000, **more: Any) -> Share:
    held = more.pop("held", None)
    return Share(1, "ci", {DAY: (limit, spent), MONTH: (-1, spent)}, request, wanted, held)


def test_what_was_spent_before_the_first_worker_counts_once() -> None:
    books = Books()
    books.begin({"ci": {DAY: 600, MONTH: 5000}})
    books.begin({"ci": {DAY: 900, MONTH: 9000}})  # a worker that began later read what the first one spent, too
    assert books.share("0.0", said(400, "a")) == Shared(True, 0, {DAY: 600, MONTH: 5000})
    assert not books.share("1.0", said(1, "b")).room


def test_who_is_gone_holds_nothing_and_has_spent_what_it_spent() -> None:
    books = Books()
    books.share("0.0", said(300, "a", spent=200))
    assert books.share("1.0", said()) == Shared(True, 300, {DAY: 200, MONTH: 200})
    books.gone("0.0")
    assert books.share("1.0", said()) == Shared(True, 0, {DAY: 200, MONTH: 200})
    assert books.share("0.1", said(800, "b")).room
    assert not books.share("0.1", said(801, "b")).room


def test_a_limit_of_one_period_is_not_the_others() -> None:
    books = Books()
    books.begin({"ci": {MONTH: 1_000_000}})
    assert books.share("0.0", said(1000, "a")).room
    assert not books.share("0.0", said(1001, "a")).room


def test_periods_that_nobody_settles_in_are_forgotten() -> None:
    books = Books()
    for day in range(1, 29):
        books.share("0.0", Share(1, "ci", {f"2026-11-{day:02}": (-1, 5), MONTH: (-1, 5 * day)}, "", -1, None))
    [book] = books._books.values()
    assert sorted(book.spent) == [MONTH, *(f"2026-11-{day}" for day in range(25, 29))]
