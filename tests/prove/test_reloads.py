"""The proof of reloads sees a mix, a failure, a decision that changes its mind, and what is said too late."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.snapshot_entry import Entry
from core.snapshots import SnapshotStore
from core.state.objects import Objects
from prove import guests
from prove.reload_faults import FAULTS
from prove.reloads import KINDS, Asked, Files, _order, _said, _swaps_judged, judged, log_differs, numbers, outlived
from prove.scene import Seen
from prove.section import Section

NUMBER_OF = {"aaa": "7"}


def asked(**fields: Any) -> Asked:
    good = {"kind": "rule", "begun": 1.0, "ended": 2.0, "request_id": "r", "snapshot": "aaa"}
    return Asked(**{**good, "reason": "rule:which", "target": "u,r7", "wrong": "", **fields})


@pytest.mark.parametrize("kind", list(KINDS))
def test_an_answer_of_one_generation_is_good(kind: str) -> None:
    _, _, reason, target = KINDS[kind]
    assert judged(asked(kind=kind, reason=reason, target=f"{target}7"), NUMBER_OF) == ""


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"target": "u,r6"}, "under a snapshot whose answer is"),
        ({"target": "u,d7", "reason": "default"}, "under a snapshot"),
        ({"snapshot": "bbb"}, "none that was saved"),
        ({"wrong": "status 500, clean"}, "failed: status 500"),
    ],
)
def test_anything_else_is_a_finding(fields: dict[str, Any], problem: str) -> None:
    assert problem in judged(asked(**fields), NUMBER_OF)


def saved(folder: Path, config: str, concept: str, rule: str) -> set[str]:
    store = SnapshotStore(folder)
    objects = folder / "objects"
    objects.mkdir(parents=True, exist_ok=True)
    put = Objects(objects).put
    entry = Entry(
        digest="ab" * 32,
        parts={},
        engine="",
        settings={"routing": {"default": f"u,d{config}"}},
        taxonomy={"topic.md": put(f"# Topic\nroute:: u, c{concept}\nsynonyms:: x\n".encode())},
        plugins={"which.wat": put(guests.always(json.dumps({"route": f"u,r{rule}"})).encode())},
    )
    return numbers(store, entry)


def test_a_snapshot_of_parts_of_two_is_seen(tmp_path: Path) -> None:
    assert saved(tmp_path, "3", "3", "3") == {"3"}
    assert len(saved(tmp_path, "3", "4", "3")) == 2
    assert len(saved(tmp_path, "3", "3", "4")) == 2
    assert len(saved(tmp_path, "4", "3", "3")) == 2


def test_streams_that_outlive_their_generation_are_counted() -> None:
    swaps = [(float(number), number + 0.5) for number in range(9)]
    assert outlived(asked(ended=7.6), NUMBER_OF, swaps)
    assert not outlived(asked(ended=7.4), NUMBER_OF, swaps)
    assert not outlived(asked(ended=99.0), {"aaa": "9"}, swaps)
    assert not outlived(asked(ended=99.0, snapshot="bbb"), NUMBER_OF, swaps)


def test_a_request_that_ends_as_another_is_seen() -> None:
    decided = {"snapshot": "aaa", "reason": "rule:which", "decided": "u,r7"}
    refused = {"event": "request", "request_id": "r", "status": 503}

    def line(**fields: Any) -> str:
        return json.dumps({**refused, **fields}, separators=(",", ":"))

    assert log_differs([line(**decided)], [asked()]) == []
    assert log_differs([line(**decided)], [asked(snapshot="bbb")]) != []
    assert log_differs([], [asked()]) == ["r is not in the log"]
    [found] = log_differs([line()], [asked()])
    assert "503" in found
    assert log_differs([line()], [asked(wrong="status 503", snapshot="", reason="", target=",")]) == []  # said already


def test_what_is_said_too_late_and_a_long_swap_are_seen() -> None:
    found = Section("x")
    _said({"a": [0.5, 2.1], "b": [1.9]}, found)
    assert found.findings == ["a is said after 2.1 s, the bound is 2"]
    found = Section("x")
    probes = [Seen(float(at), 5.0, 200, "", "", []) for at in range(100)]
    _swaps_judged([1.0, 60.0], probes, [(3.0, 5.0)], found)
    assert found.findings == ["a swap holds the loop for 60 ms, the bound is 50"]
    found = Section("x")
    slow = [one._replace(ms=100.0) if 3 <= one.begun <= 5 else one for one in probes]
    _swaps_judged([1.0], slow, [(3.0, 5.0)], found)
    assert found.findings == ["others wait 100 ms at p99 while generations come, 5 without"]
    found = Section("x")
    _swaps_judged([1.0], [], [], found)
    assert found.findings == ["no swap or no probe was seen, which shows nothing"]


def test_three_of_ten_are_broken_and_each_fault_breaks_its_file(tmp_path: Path) -> None:
    order = _order(1000, 300)
    assert (len(order), sum(fault is not None for fault in order)) == (1000, 300)
    for number, fault in enumerate(FAULTS):
        folder = tmp_path / str(number)
        for name in ("taxonomy", "plugins"):
            (folder / name).mkdir(parents=True)
        files = Files(folder, "http://127.0.0.1:1")
        files.write()
        fault.make(folder, files.texts())
        [found] = [path for path in folder.rglob(fault.file) if "home" not in path.parts]
        broken = found.is_symlink() or not found.is_file() or found.stat().st_mode & 0o002
        manifest = found.with_suffix(".toml")
        assert broken or found.read_bytes() != files.texts().get(found, "").encode() or manifest.exists()
        files.write()
        assert {path for path in folder.rglob("*") if path.is_file() and "home" not in path.parts} == set(files.texts())
