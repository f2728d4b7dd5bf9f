"""The proofs of budgets and usage records see a broken promise."""

from collections import Counter
from pathlib import Path

import httpx
import pytest
from upstream_script import Spent, Step

from prove import budgets, record_writer, records
from prove.budgets import BUDGET, HOLD
from prove.records import Found, judge, judge_disk, killed, read
from prove.stopping_clients import WHOLE

THERE = [("req_1", 1), ("req_2", 2), ("req_3", 3)]


@pytest.mark.parametrize(
    ("acknowledged", "found", "findings"),
    [
        ({1, 2}, Found(THERE, "ok"), []),
        ({1, 4, 5}, Found(THERE, "ok"), ["2 acknowledged rows are lost, the first: 4"]),
        ({1}, Found([*THERE, ("req_2", 2)], "ok"), ["1 rows are doubled, the first: 2"]),
        ({1}, Found([*THERE, ("req_9", 7)], "ok"), ["1 rows are not what was put, the first: req_9"]),
        ({1}, Found(THERE, "row 7 missing from index"), ["damaged: row 7 missing from index"]),
        ({7}, Found([], "no"), ["1 acknowledged rows are lost, the first: 7", "damaged: no"]),
    ],
)
def test_what_a_dead_writer_left(acknowledged: set[int], found: Found, findings: list[str]) -> None:
    assert judge(acknowledged, found) == findings


def test_a_writer_that_acknowledges_too_early_is_found_out(tmp_path: Path) -> None:
    some, cause = killed(tmp_path / "one.db", 10, after_s=0.05, limit=0)
    assert cause == 9
    assert some[:2] == [10, 11]
    assert judge(some, read(tmp_path / "one.db")) == []
    some, cause = killed(tmp_path / "two.db", 0, after_s=None, limit=700_000)
    assert cause == 25
    assert len(some) > 100
    found = read(tmp_path / "two.db")
    assert judge(some, found) == []
    early = [*some, len(found.rows)]
    assert judge(early, found) == [f"1 acknowledged rows are lost, the first: {len(found.rows)}"]


def test_a_file_that_was_damaged_is_found(tmp_path: Path) -> None:
    some, _ = killed(tmp_path / "one.db", 0, after_s=0.2, limit=0)
    assert judge(some, read(tmp_path / "one.db")) == []
    data = bytearray((tmp_path / "one.db").read_bytes())
    data[4096 * 3 : 4096 * 5] = bytes(4096 * 2)
    (tmp_path / "one.db").write_bytes(data)
    assert judge(some, read(tmp_path / "one.db")) != []


def test_a_row_says_its_number() -> None:
    assert (record_writer.row(7).request_id, record_writer.row(7).input, record_writer.row(7).time) == ("req_7", 7, 7)


@pytest.mark.parametrize(
    ("answers", "there", "lost", "problem", "findings"),
    [
        ({WHOLE: 10}, 8, 2, "database or disk is full", []),
        ({WHOLE: 9, "status 500": 1}, 10, 0, "disk is full", ["1 answers were status 500"]),
        ({WHOLE: 9}, 10, 0, "disk is full", ["9 answers to 10 requests"]),
        ({WHOLE: 10}, 8, 1, "disk is full", ["8 rows and 1 counted as lost, of 10 requests"]),
        ({WHOLE: 10}, 10, 0, "ok", ["/health does not say that the disk is full: ok"]),
    ],
)
def test_what_a_full_disk_did(
    answers: dict[str, int], there: int, lost: int, problem: str, findings: list[str]
) -> None:
    assert judge_disk(Counter(answers), there, lost, 10, problem) == findings


def test_a_disk_is_filled_to_the_last_byte(tmp_path: Path) -> None:
    with records.disk(tmp_path / "disk") as small:
        if small is None:
            pytest.skip("only root may make a file system to fill")
        records.fill(small / "filler")
        with pytest.raises(OSError, match="No space"):
            (small / "more").write_bytes(b"x")
    assert list((tmp_path / "disk").iterdir()) == []


GOOD = httpx.Response(200, json={"type": "message"})


def refusal(status: int, kind: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"type": kind}})


@pytest.mark.parametrize(
    ("answers", "charged", "left", "findings"),
    [
        ([GOOD, refusal(402, "billing_error"), refusal(429, "insufficient_quota")], BUDGET, 0, []),
        ([GOOD], BUDGET + 1, 0, [f"{BUDGET + 1} of {BUDGET} micro-USD were spent"]),
        ([GOOD], BUDGET - HOLD, 0, [f"only {BUDGET - HOLD} of {BUDGET} micro-USD were spent: there was room for more"]),
        ([GOOD], BUDGET, None, ["what the proxy counted is not what was charged"]),
        ([refusal(429, "rate_limit_error")] * 2, BUDGET, 0, ["2 answers were 429 rate_limit_error"]),
        ([httpx.Response(402, text="no")], BUDGET, 0, ["1 answers were 402 no error of the dialect"]),
    ],
)
def test_what_a_budget_did(answers: list[httpx.Response], charged: int, left: int | None, findings: list[str]) -> None:
    assert budgets.judge(answers, charged, left) == findings


def test_what_the_provider_charges_is_what_it_answered() -> None:
    steps = [Step(usage=Spent(input=5, output=100)), Step(status=529), Step(usage=Spent(input=5, output=1))]
    assert budgets.spent(steps) == 10 + 1000 + 10 + 10
    assert len(budgets.steps(50, 1)) == 50
    assert budgets.steps(50, 1) == budgets.steps(50, 1)
