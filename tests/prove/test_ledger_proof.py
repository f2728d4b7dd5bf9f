"""The proof of the ledger sees what is wrong."""

import random
from pathlib import Path

import pytest

from core.state.ledger import Ledger
from core.state.ledger_file import files
from core.state.ledger_verify import Fault, verify
from prove import ledger
from prove.ledger_writer import record

FAULT = Fault("a", "w", 7, "req_7", "it was changed")


@pytest.mark.parametrize(
    ("wanted", "faults", "findings"),
    [
        ({7}, [FAULT], 0),
        ({6, 7}, [FAULT], 0),
        ({6}, [FAULT], 1),
        ({7}, [], 1),
        ({7}, [Fault("b", "w", 7, "", "it was changed")], 2),
        ({7}, [FAULT, Fault("b", "w", 0, "", "it is missing")], 1),
        ({7}, [Fault("a", "w", 0, "", "the database is damaged")], 1),
    ],
)
def test_what_must_be_located(wanted: set[int], faults: list[Fault], findings: int) -> None:
    assert len(ledger.judge("x", "a", wanted, faults)) == findings


@pytest.mark.parametrize("how", ledger.TAMPERS)
def test_each_tamper_changes_something(how: ledger.Tamper, tmp_path: Path) -> None:
    one = Ledger(tmp_path)
    one.write([record(number) for number in range(20)])
    one.close()
    [path] = files(tmp_path)
    before = path.read_bytes()
    wanted = ledger.tampered(path, how, random.Random(1))  # noqa: S311
    assert path.read_bytes() != before
    assert {fault.number for fault in verify(tmp_path).faults} & wanted


def test_what_a_dead_writer_left(tmp_path: Path) -> None:
    one = Ledger(tmp_path)
    one.write([record(number) for number in range(20)])
    one.close()
    assert ledger.judge_kill(tmp_path, range(20)) == []
    assert ledger.judge_kill(tmp_path, range(21)) == ["1 acknowledged records are lost or doubled, the first: 20"]
    ledger.tampered(files(tmp_path)[0], ledger.taken, random.Random(1))  # noqa: S311
    assert len(ledger.judge_kill(tmp_path, range(20))) == 2


def test_it_holds(tmp_path: Path) -> None:
    found = ledger.section(tmp_path, len(ledger.TAMPERS), 2)
    assert (found.findings, found.number != "") == ([], True)
