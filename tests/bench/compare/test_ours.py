"""Our proxies as they are compared: each answers, decides by its default, and asks its rule if it has one."""

import re
import shutil
from pathlib import Path

import pytest

from bench import children
from bench.compare import ours, rounds
from bench.compare.cells import Cell
from bench.compare.figures import Turn
from bench.compare.rounds import Effort

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None, reason="SKIPPED: gcc is not installed (Debian: apt-get install gcc libc6-dev)"
)
ONE = Effort(rounds=1, seconds=0.05, warm=0.0, answers=1, longest=10.0)


@pytest.mark.parametrize("name", ["ours", "ours, inline rule", "ours, worker rule", "ours, translating"])
def test_every_request_is_decided_as_the_name_says(name: str, tmp_path: Path) -> None:
    [target] = [one for one in ours.targets() if one.name == name]
    [way] = target.speeches
    with rounds.stage([target], tmp_path) as (stage, _):
        [turn] = rounds.turns(stage, [target], Cell("JSON", "S", 1, way), ONE)
        assert isinstance(turn, Turn), turn
        _, text = children.request(stage.running[name].port, "GET", "/metrics")
        asked = stage.asked()
    metrics = text.decode()
    outcomes = re.findall(r"^terraphim_rule_outcomes_total\{(.*)\} (\d+)", metrics, re.MULTILINE)
    assert [int(count) for _, count in outcomes if int(count)] == ([asked] if "rule" in name else [])
    assert all('outcome="abstain"' in labels for labels, count in outcomes if int(count))
    [workers] = re.findall(r"^terraphim_rule_workers (\d+)", metrics, re.MULTILINE)
    assert bool(int(workers)) is ("worker rule" in name)
    assert 'phase="default"' in metrics
