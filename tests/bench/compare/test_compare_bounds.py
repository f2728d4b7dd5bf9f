import math

from turns import turn

from bench.compare import bounds
from bench.compare.bounds import L16, S16
from bench.compare.cells import Cell
from bench.compare.figures import Results
from bench.compare.target import TRANSLATED
from bench.row import Row

T1, T64 = Cell("JSON", "S", 1, TRANSLATED), Cell("SSE", "L", 64, TRANSLATED)


def said(results: Results) -> dict[str, Row]:
    return {row.name: row for row in bounds.rows(results)}


def test_what_was_not_measured_is_neither_held_nor_missed() -> None:
    for row in bounds.rows(Results()):
        assert math.isnan(row.value)
        assert row.verdict == ""
        assert row.note.startswith("NOT MEASURED")


def test_a_ratio_is_held_or_missed_at_its_bound() -> None:
    name = f"{S16.title}: ours by smg"
    held = said(Results([turn("ours", 0, 70), turn("smg", 0, 100)]))[name]
    missed = said(Results([turn("ours", 0, 69), turn("smg", 0, 100)]))[name]
    assert (held.verdict, missed.verdict) == ("ok", "MISSED")
    assert held.spread == (0.7, 0.7)


def test_the_cells_are_the_issues() -> None:
    wanted = {
        ("S", "ours", "smg", 0.7), ("S", "ours", "claude-code-router", 4), ("L", "ours", "smg", 2),
        ("L", "ours", "claude-code-router", 50), ("S", "ours, worker rule", "smg", 0.5),
        ("L", "ours, worker rule", "smg", 1.5),
    }  # fmt: skip
    assert {(one.cell.size, one.target, one.other, one.bound) for one in bounds.RATIOS} == wanted
    assert {(one.cell.size, one.target, one.bound) for one in bounds.ADDED} == {
        ("S", "ours", 0.20), ("S", "ours, inline rule", 0.28), ("S", "ours, worker rule", 0.38), ("L", "ours", 0.45)
    }  # fmt: skip


def test_cpu_is_what_is_added_to_the_floor_in_the_same_round() -> None:
    turns = [
        turn("ours", 0, 1, cpu_ms=0.30), turn("asgi", 0, 1, cpu_ms=0.10),
        turn("ours", 1, 1, cpu_ms=3.19), turn("asgi", 1, 1, cpu_ms=3.00),
        turn("ours", 2, 1, cpu_ms=0.60), turn("asgi", 2, 1, cpu_ms=0.20),
    ]  # fmt: skip
    row = said(Results(turns))[f"{S16.title}: CPU that ours adds to bare ASGI"]
    assert round(row.value, 2) == 0.20
    assert row.verdict == "ok"
    assert row.spread is not None
    assert round(row.spread[1], 2) == 0.40


def test_every_cell_means_the_worst_one() -> None:
    turns = [turn("ours", 0, 1000), turn("litellm", 0, 10), turn("ours", 0, 90, L16), turn("litellm", 0, 10, L16)]
    row = said(Results(turns))["every cell: ours by LiteLLM"]
    assert (row.value, row.verdict) == (9, "MISSED")
    assert L16.title in row.note


def test_translating_is_held_against_the_best_peer_of_each_cell() -> None:
    turns = [
        turn("ours, translating", 0, 50, T1), turn("litellm", 0, 5, T1), turn("claude-code-router", 0, 40, T1),
        turn("ours, translating", 0, 50, T64), turn("litellm", 0, 60, T64), turn("claude-code-router", 0, 4, T64),
    ]  # fmt: skip
    row = said(Results(turns))["every cell: ours by the best peer, translating"]
    assert (round(row.value, 2), row.verdict) == (0.83, "MISSED")
    assert T64.title in row.note


def test_memory_is_a_third_of_litellms_at_most() -> None:
    turns = [turn("ours", 0, 1, L16, pss_mb=100), turn("litellm", 0, 1, L16, pss_mb=299)]
    assert said(Results(turns))["memory: ours by LiteLLM's (PSS)"].verdict == "MISSED"
