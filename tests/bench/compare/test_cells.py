import json
from pathlib import Path

import pytest

from bench.compare.__main__ import chosen, fitting
from bench.compare.cells import VARIANTS, Cell, Requests, body, cells
from bench.compare.target import Speech, Target


def test_all_cells() -> None:
    assert len(set(cells())) == 2 * 2 * 2 * 3
    assert {cell.title for cell in fitting(["SSE", "L", "translated"], (1, 16))} == {
        "SSE L c=1 translated",
        "SSE L c=16 translated",
    }
    with pytest.raises(LookupError, match="c=2"):
        fitting(["c=2"], (1,))


@pytest.mark.parametrize("form", ["JSON", "SSE"])
@pytest.mark.parametrize(("size", "least", "most"), [("S", 250, 450), ("L", 90_000, 115_000)])
@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
def test_bodies_have_the_size_and_differ_in_their_last_question(
    form: str, size: str, least: int, most: int, dialect: str
) -> None:
    cell = Cell(form, size, 1)  # type: ignore[arg-type]
    made = [json.loads(body(cell, Speech(dialect=dialect, model="m"), number)) for number in range(2)]
    for one in made:
        assert one["model"] == "m"
        assert least <= len(json.dumps(one, separators=(",", ":"))) <= most
        assert bool(one.get("stream")) is (form == "SSE")
    assert made[0]["messages"][-1] != made[1]["messages"][-1]
    assert made[0]["messages"][:-1] == made[1]["messages"][:-1]


def test_requests_are_files_that_take_turns(tmp_path: Path) -> None:
    ask = Requests(tmp_path / "new", "http://up").ask(
        Cell("SSE", "S", 1), Speech(path="/x", headers=("a: {upstream}/v1",))
    )
    assert (ask.path, ask.headers, ask.mark) == ("/x", ["a: http://up/v1"], "message_stop")
    assert len({file.read_bytes() for file in ask.bodies}) == VARIANTS


def test_targets_are_chosen_by_name_or_kind() -> None:
    targets = [Target(name, kind, None, {}) for name, kind in (("a", "ours"), ("b", "floor"), ("c", "floor"))]  # type: ignore[arg-type]
    assert [one.name for one in chosen(targets, [])] == ["a", "b", "c"]
    assert [one.name for one in chosen(targets, ["floor"])] == ["b", "c"]
    assert [one.name for one in chosen(targets, ["a", "c"])] == ["a", "c"]
    with pytest.raises(LookupError, match="nginx"):
        chosen(targets, ["nginx"])
