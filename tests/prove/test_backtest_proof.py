"""The proof of backtests sees a shadow and a candidate that disagree."""

from collections.abc import Callable

import msgspec
import pytest
from facts import settings, snapshot
from relived import live
from wasm_modules import load

from core.decision_record import Record
from core.lab.retrial import Pair, pair
from prove.backtest import RULE, disagreement, wat
from wasm_host.answer import Outcome
from wasm_host.sandbox import Sandbox


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Record], Pair]:
    """Records with the rule in shadow, and their snapshot beside the candidate's."""
    text = wat("deepseek,deepseek-chat")
    shots = [
        snapshot(settings(), rules=load(tmp_path_factory.mktemp(mode), {f"{RULE}.wat": text}, {RULE: {"mode": mode}}))
        for mode in ("shadow", "enforce")
    ]
    return [live(shots[0], token_count=10**number) for number in range(4)], pair(*shots)


def test_what_agrees_is_no_finding(made: tuple[list[Record], Pair]) -> None:
    records, its = made
    assert {record.asked[0].code for record in records} == {"route", "abstain"}
    with Sandbox() as sandbox:
        sandbox.load(its.other.rules.rules)
        assert [disagreement(record, its, sandbox) for record in records] == [""] * 4


@pytest.mark.parametrize(
    "change",
    [
        lambda outcome: msgspec.structs.replace(outcome, fuel=outcome.fuel + 1),
        lambda outcome: msgspec.structs.replace(outcome, seen="0" * 16),
        lambda outcome: msgspec.structs.replace(outcome, score=8),
        lambda outcome: msgspec.structs.replace(outcome, code="abstain", route="", reason="", score=None),
    ],
)
def test_every_difference_is_seen(made: tuple[list[Record], Pair], change: Callable[[Outcome], Outcome]) -> None:
    records, its = made
    record = next(record for record in records if record.asked[0].code == "route")
    record = msgspec.structs.replace(record, asked=(change(record.asked[0]),))
    with Sandbox() as sandbox:
        sandbox.load(its.other.rules.rules)
        assert "differ" in disagreement(record, its, sandbox)


def test_a_snapshot_that_is_gone_is_a_finding(made: tuple[list[Record], Pair]) -> None:
    records, its = made
    with Sandbox() as sandbox:
        assert "gone" in disagreement(records[0], msgspec.structs.replace(its, own=None), sandbox)
