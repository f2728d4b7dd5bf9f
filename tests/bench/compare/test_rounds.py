"""A whole small comparison, of real processes."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.compare import floors, ours, report, rounds, streams
from bench.compare.__main__ import as_json
from bench.compare.cells import Cell
from bench.compare.figures import Failed, Results, Turn
from bench.compare.rounds import Effort
from bench.compare.target import OURS, PEER, SAME, TRANSLATED, Place, Running, Speech, Target

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None, reason="SKIPPED: gcc is not installed (Debian: apt-get install gcc libc6-dev)"
)
SHORT = Effort(rounds=2, seconds=0.1, warm=0.02, answers=3, longest=10.0)


def test_floors_and_ours_give_whole_answers_in_every_form(tmp_path: Path) -> None:
    targets = [*floors.targets(), *ours.targets()]
    results = Results()
    with rounds.stage(targets, tmp_path) as (stage, _):
        for cell in (Cell("JSON", "S", 2), Cell("SSE", "L", 2), Cell("SSE", "S", 2, TRANSLATED)):
            for turn in rounds.turns(stage, targets, cell, SHORT):
                assert isinstance(turn, Turn), turn
                assert turn.pss_mb > 1
                results.add(turn)
    assert {name for cell in results.cells() for name in results.targets(cell)} == {one.name for one in targets}
    cell = Cell("SSE", "S", 2, TRANSLATED)
    assert results.targets(cell) == ["ours, translating"]
    assert "ours, translating" in "\n".join(report.lines(results, cell, "ours, translating"))
    assert len(json.loads(as_json(results, [], [], []))["turns"]) == len(results.all())


def test_who_breaks_an_answer_is_left_out_of_the_cell(tmp_path: Path) -> None:
    """Told to ask a path that the mock does not know: everybody passes its 404 on."""
    good, bad = floors.targets()[-2:]
    wrong = Target(bad.name, bad.kind, bad.start, {SAME: Speech(path="/v1/nowhere")})
    with rounds.stage([good, bad], tmp_path) as (stage, _):
        seen = list(rounds.turns(stage, [good, wrong], Cell("JSON", "S", 1), SHORT))
    assert [type(one) for one in seen] == [Turn, Failed, Turn]
    assert isinstance(seen[1], Failed)
    assert "status, 404" in seen[1].why


def test_who_answers_without_asking_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = floors.targets()[-1]
    with rounds.stage([target], tmp_path) as (stage, _):
        monkeypatch.setattr(rounds.Stage, "asked", lambda _: 7)
        [failed] = rounds.turns(stage, [target], Cell("JSON", "S", 1), SHORT)
    assert isinstance(failed, Failed)
    assert "somebody keeps answers" in failed.why


def test_paced_streams_are_whole_and_late_by_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PACE", streams.Pace(5, 0.05))
    monkeypatch.setattr(streams, "STREAMS", 5)
    monkeypatch.setattr(streams, "LARGE_AT_ONCE", 2)
    target = next(one for one in floors.targets() if one.name == "asgi")
    with rounds.stage([target], tmp_path) as (stage, _):
        turns = list(streams.paced(stage, [target], 1, 0.5))
    assert [turn.target for turn in turns] == ["direct", "asgi"]
    for turn in turns:
        assert isinstance(turn, streams.Paced), turn
        assert turn.seen.delay.count > 5
        assert turn.seen.latency.p50 > 4 * 45_000  # four gaps of 50 ms, nearly
    paced = [turn for turn in turns if isinstance(turn, streams.Paced)]
    assert len(list(streams.table(paced))) == 4
    assert "NOT MEASURED" in next(streams.rows(paced)).note


def test_a_peer_that_does_not_start_is_named_and_the_rest_runs(tmp_path: Path) -> None:
    @contextmanager
    def dies(place: Place) -> Iterator[Running]:
        log = place.folder / "log"
        log.parent.mkdir(parents=True)
        log.write_text("no such module")
        process = subprocess.Popen(["/bin/true"])
        process.wait()
        yield Running(process.pid, 1, log)

    good = floors.targets()[-1]
    bad = Target("bad", PEER, dies, {SAME: Speech()})
    with rounds.stage([bad, good], tmp_path / "peer") as (stage, absent):
        assert [(one.target, "no such module" in one.why) for one in absent] == [("bad", True)]
        seen = list(rounds.turns(stage, [bad, good], Cell("JSON", "S", 1), SHORT))
    assert {one.target for one in seen} == {good.name}
    ours_too = Target("bad", OURS, dies, {SAME: Speech()})
    with pytest.raises(rounds.NotStarted, match="no such module"), rounds.stage([ours_too], tmp_path / "ours"):
        pass
