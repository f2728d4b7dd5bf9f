"""Records leave as lines of JSON, and come back."""

from pathlib import Path

import msgspec
import pytest
from test_ledger import BEGIN, Clock, record

from core.state.ledger import Ledger, heads, read
from core.state.ledger_export import lines, load, read_lines
from core.state.ledger_verify import verify


def fail(problem: Exception) -> None:
    raise problem


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    where, clock = tmp_path / "decisions", Clock()
    one, two = Ledger(where, clock=clock), Ledger(where, clock=clock)
    for number in range(20):
        (one, two)[number % 2].write([record(number)])
    one.close()
    two.close()
    return where


def test_an_export_holds_all_that_the_ledger_does(folder: Path, tmp_path: Path) -> None:
    found = list(lines(folder, broken=fail))
    assert list(read_lines(found)) == list(read(folder))
    assert msgspec.json.decode(found[0]) == {"ledger": 1}
    assert all(line.endswith(b"}\n") for line in found)
    faults, partial = load(found, tmp_path / "copy")
    assert (faults, partial) == ([], False)
    assert heads(tmp_path / "copy") == heads(folder)
    assert verify(tmp_path / "copy", heads(folder)).faults == []


def test_a_part_can_be_verified_as_far_as_it_goes(folder: Path, tmp_path: Path) -> None:
    found = list(lines(folder, since_ms=BEGIN + 4, until_ms=BEGIN + 12, broken=fail))
    assert [one.at_ms - BEGIN for one in read_lines(found)] == list(range(4, 12))
    faults, partial = load(found, tmp_path / "copy")
    assert (faults, partial) == ([], True)
    report = verify(tmp_path / "copy", heads(folder), partial=True)
    assert (report.faults, report.records, report.partial) == ([], 8, 2)
    found[-1] = found[-1].replace(b'"status":200', b'"status":201')
    load(found, tmp_path / "changed")
    [fault] = verify(tmp_path / "changed", partial=True).faults
    assert (fault.number, fault.request_id) == (6, "req_11")
    some = list(lines(folder, chosen=lambda one: one.request_id == "req_7", broken=fail))
    assert [one.request_id for one in read_lines(some)] == ["req_7"]
    assert load(some, tmp_path / "one") == ([], True)


def test_what_was_changed_in_an_export_is_named(folder: Path, tmp_path: Path) -> None:
    found = list(lines(folder, broken=fail))
    for name, changed, faults in (
        ("record", [*found[:5], found[5].replace(b'"status":200', b'"status":500'), *found[6:]], [(2, "req_2")]),
        ("missing", [*found[:5], *found[6:]], [(3, "req_4")]),
        ("swapped", [*found[:5], found[7], found[6], found[5], *found[8:]], []),  # their numbers say where they belong
        ("header", [found[0], *found[2:]], [(number, "") for number in range(1, 11)]),
        ("twice", [*found, found[5]], [(2, "")]),
        ("no JSON", [*found[:5], b"{\n", *found[6:]], [(0, ""), (3, "req_4")]),
    ):
        wrong, partial = load(changed, tmp_path / name)
        wrong += verify(tmp_path / name, partial=partial).faults
        assert [
            (fault.number, fault.request_id) for fault in wrong if fault.number or "line" in fault.problem
        ] == faults


def test_what_is_no_export(tmp_path: Path) -> None:
    for data in (b"", b"{}\n", b"[]\n", b'{"ledger":2}\n', b"\xff\n"):
        with pytest.raises(ValueError, match="export of records"):
            load([data], tmp_path)
    with pytest.raises(ValueError, match="line 1 is not of an export"):
        list(read_lines([b"{\n"]))
    with pytest.raises(ValueError, match="line 2 is not of an export"):
        list(read_lines([b"{}\n", b'{"record":{"request_id":7}}\n']))
