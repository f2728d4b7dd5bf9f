"""Moves as people ask for them."""

from datetime import timedelta
from pathlib import Path

import pytest
from configs import HERE
from facts import ROOT

from core import settings
from core.generation import Generation, load_generation
from core.rollout import OFF
from core.rollout_plan import Refused
from core.rule_moves import Asked, NoSuchRule, file_of, move, rule_of


@pytest.fixture
def generation(tmp_path: Path) -> Generation:
    for name in ("plugins", "taxonomy"):
        (tmp_path / name).mkdir()
    (tmp_path / "plugins" / "demo.wat").write_text((ROOT / "plugins" / "wasm-demo.wat").read_text())
    (tmp_path / "c.toml").write_text(HERE)
    loaded = settings.load(tmp_path / "c.toml", {"HOME": str(tmp_path), "TERRAPHIM_DISCOVERY": "off"})
    return load_generation(loaded, tmp_path / "cache")


def test_a_rule_is_found_or_the_closest_is_named(generation: Generation) -> None:
    assert rule_of(generation, "demo").name == "demo"
    with pytest.raises(NoSuchRule, match="did you mean demo"):
        rule_of(generation, "dem")
    with pytest.raises(NoSuchRule, match="rules list"):
        rule_of(generation, "<script>")


def test_a_move_is_written_with_who_and_why(generation: Generation) -> None:
    made = move(generation, rule_of(generation, "demo"), Asked("disable", "admin", why="it trips"))
    assert (made.by, made.why, made.at.utcoffset()) == ("admin", "it trips", timedelta(0))
    written = file_of(generation).read()
    assert (written.moves, written.stage(rule_of(generation, "demo"))) == ((made,), OFF)
    with pytest.raises(Refused, match="moved meanwhile"):
        move(generation, rule_of(generation, "demo"), Asked("disable", "admin"))


def test_a_file_that_cannot_be_read_is_a_refusal_that_names_it(generation: Generation) -> None:
    path = file_of(generation).path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("version = 99")
    with pytest.raises(Refused, match=r"rollout\.toml: .*newer program"):
        move(generation, rule_of(generation, "demo"), Asked("disable", "admin"))
