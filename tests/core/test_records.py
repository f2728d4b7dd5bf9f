"""A real database on a real disk."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from core.budgets import DAY_MS
from core.exchange import Attempt, Candidate, Cost, Decision, Exchange, Target
from core.messages import Usage
from core.records import INSERT, Row, Rows, row_of, spent_at
from core.state import sqlite

ONE, TWO = Target("a", "one"), Target("b", "two")


def row(number: int, **facts: Any) -> Row:
    return row_of(exchange(f"req_{number}"), 1.4)._replace(**facts)


def exchange(request_id: str = "req_1") -> Exchange:
    decision = Decision("default", "default", (Candidate(ONE, tokens=9),), "s")
    one = Exchange(request_id, "/v1/messages", "anthropic", "f" * 64, "laptop", decision, TWO)
    one.attempts = [Attempt(ONE, "cut", 1.0), Attempt(TWO, "ok", 1.0)]
    one.lose(ONE, Usage(input=1, output=2, cache_read=3, cache_write=4, reasoning=1))
    one.usage = Usage(input=10, output=20, cache_read=30, cache_write=40, reasoning=5)
    one.cost, one.status, one.began_ms = Cost(123), 200, 1_700_000_000_000
    return one


def ids(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return [name for (name,) in connection.execute("SELECT request_id FROM usage ORDER BY rowid")]
    finally:
        connection.close()


def test_a_row_holds_all_attempts() -> None:
    assert row_of(exchange(), 12.6) == Row(
        request_id="req_1", time=1_700_000_000_000, client="laptop", endpoint="/v1/messages", dialect="anthropic",
        phase="default", reason="default", provider="b", model="two", status=200, error="",
        input=11, output=22, cache_read=33, cache_write=44, reasoning=6, lost_input=8, lost_output=2,
        cost=123, unpriced=False, estimated=False, ms=13, attempts=2, simulated=False, snapshot="f" * 64,
    )  # fmt: skip


def test_a_row_of_unknown_price_has_no_cost() -> None:
    one = exchange()
    one.cost = Cost(0, unpriced=True)
    assert (row_of(one, 1).cost, row_of(one, 1).unpriced) == (None, True)
    one.cost = Cost(5, unpriced=True)
    assert (row_of(one, 1).cost, row_of(one, 1).unpriced) == (5, True)


def test_a_row_says_what_was_estimated() -> None:
    one = exchange()
    one.usage, one.contents = Usage(), 7
    found = row_of(one, 1)
    assert (found.estimated, found.input, found.output) == (True, 1, 9)


def test_who_was_decided_stands_in_a_row_that_nobody_answered() -> None:
    one = exchange()
    one.answered_by = None
    assert (row_of(one, 1).provider, row_of(one, 1).model) == ONE


def test_a_row_that_is_wrong_is_an_error_not_a_duplicate(tmp_path: Path) -> None:
    connection = sqlite.writable(tmp_path / "records.db")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(INSERT, row(1, status=None))
    connection.close()


def test_what_was_spent_at_providers_is_todays(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    assert spent_at(path, DAY_MS) == {}
    table = Rows(path)
    midnight = 20_000 * DAY_MS
    table.write(
        [
            row(1, time=midnight - 1, provider="a", cost=100),
            row(2, time=midnight, provider="a", cost=7),
            row(3, time=midnight + 5, provider="a", cost=5),
            row(4, time=midnight + 5, provider="b", cost=None),
        ]
    )
    table.close()
    assert spent_at(path, midnight + DAY_MS - 1) == {"a": 12, "b": 0}
    assert spent_at(path, midnight + DAY_MS) == {}
