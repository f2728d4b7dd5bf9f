"""Rules that are watched: what is counted, when they are moved, who says so."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from configs import HERE
from facts import ROOT, features

from core import settings
from core.exchange import Candidate, Decision, Exchange, Inputs, Target
from core.generation import Generation, load_generation
from core.metrics import Metrics
from core.rolling import PROXY, RETRY_S, Rolling
from core.rollout import PROMOTE, ROLLBACK, Move, Stage
from core.state.rollouts import RolloutFile
from wasm_host.answer import Outcome

AT = datetime(2026, 11, 23, tzinfo=UTC)


class Scene:
    """A configuration with one rule, `demo`, and who watches it. `clock` is moved by the test."""

    def __init__(self, folder: Path, table: str) -> None:
        for name in ("plugins", "taxonomy"):
            (folder / name).mkdir()
        (folder / "plugins" / "demo.wat").write_text((ROOT / "plugins" / "wasm-demo.wat").read_text())
        (folder / "c.toml").write_text(HERE + table)
        self.folder, self.clock, self.reloads = folder, 100.0, 0
        self.said: list[dict[str, object]] = []
        self.metrics = Metrics()
        self.rolling = Rolling(self.metrics, self._say, self._reload, clock=lambda: self.clock, now=lambda: AT)
        self.generation = self.load(None)

    def _say(self, fields: dict[str, object], level: str) -> None:
        self.said.append({**fields, "level": level})

    def _reload(self) -> None:
        self.reloads += 1
        self.generation = self.load(self.generation)

    def load(self, before: Generation | None) -> Generation:
        loaded = settings.load(self.folder / "c.toml", {"HOME": str(self.folder), "TERRAPHIM_DISCOVERY": "off"})
        generation = load_generation(loaded, self.folder / "cache", before)
        self.rolling.use(generation)
        return generation

    @property
    def file(self) -> RolloutFile:
        return RolloutFile(settings.state_dir({"HOME": str(self.folder)}))

    @property
    def text(self) -> str:
        return self.metrics.exposition().decode()

    @property
    def stage(self) -> str:
        return str(self.generation.rollouts.stage(self.generation.files.rules[0]))

    def person(self, to: str, action: str = PROMOTE) -> None:
        """Somebody moves the rule."""
        rule = self.generation.files.rules[0]
        move = Move(rule=rule.name, module=rule.sha256, at=AT, action=action, came_from=self.stage, to=to, by="ann")
        self.file.change(lambda _: move)
        self._reload()

    def decide(
        self, code: str = "abstain", *, times: int = 1, generation: Generation | None = None, **more: Any
    ) -> None:
        """Requests are decided on which the rule answered so; whatever it moves, is written."""
        snapshot = (generation or self.generation).snapshot
        outcome = Outcome(rule="demo", code=code, fuel=7, **more)
        decides = outcome.decides and code == "route"
        reason, target = ("rule:demo", Target.parse(outcome.route)) if decides else ("default", Target("here", "a"))
        decision = Decision("custom", reason, (Candidate(target),), snapshot.id, asked=(outcome,))
        exchange = Exchange("req_1", "/v1/messages", "anthropic", decision=decision, inputs=Inputs(features()))

        async def all_of_them() -> None:
            for _ in range(times):
                self.rolling.decided(exchange, snapshot)
            loop = asyncio.get_running_loop()
            await loop.shutdown_default_executor()
            await asyncio.sleep(0)

        asyncio.run(all_of_them())


@pytest.fixture
def scene(tmp_path: Path) -> Callable[..., Scene]:
    return lambda table="": Scene(tmp_path, table)


CANARY = '[rules.demo]\nmode = "canary"\nshare = 10\n'


def test_a_canary_that_fails_goes_back_and_stays_there(scene: Callable[..., Scene]) -> None:
    here = scene(CANARY)
    here.decide("trap", times=2)
    assert (here.stage, here.reloads) == ("canary 10%", 0)
    here.decide("trap")
    assert (here.stage, here.reloads) == ("shadow", 1)
    [move] = here.file.read().moves
    assert (move.action, move.automatic, move.by, move.at) == (ROLLBACK, True, PROXY, AT)
    assert move.why == "3 of the last 3 calls failed (trap 3); 1 % may"
    [line] = [line for line in here.said if line["event"] == "rule_moved"]
    assert (line["level"], line["from"], line["to"], line["why"]) == ("warning", "canary 10%", "shadow", move.why)
    assert 'terraphim_rollout_moves_total{action="rollback",automatic="yes",rule="demo"} 1.0' in here.text
    assert 'terraphim_rule_share{rule="demo"} 0.0' in here.text
    here.clock += 2 * RETRY_S
    here.decide("trap", times=500)
    assert len(here.file.read().moves) == 1


def test_it_is_moved_once_however_many_calls_come_before_the_reload(scene: Callable[..., Scene]) -> None:
    here = scene(CANARY)
    here.decide("trap", times=300)
    assert len(here.file.read().moves) == 1


def test_calls_of_an_older_configuration_are_not_counted(scene: Callable[..., Scene]) -> None:
    here = scene(CANARY)
    older = here.generation
    here.person("canary 50%")
    here.decide("trap", times=50, generation=older)
    assert here.stage == "canary 50%"
    assert here.rolling.shown()["demo"]["calls"] == 0


def test_counts_go_on_as_long_as_the_rule_stays_where_it_is(scene: Callable[..., Scene]) -> None:
    here = scene(CANARY)
    here.decide("trap", times=2)
    (here.folder / "taxonomy" / "x.md").write_text("# X\nsynonyms:: one two\n")
    here._reload()
    here.decide("trap")
    assert here.stage == "shadow"
    here.person("canary 10%")
    here.decide("trap", times=2)
    assert here.stage == "canary 10%"


def test_who_moves_it_meanwhile_is_not_overruled(scene: Callable[..., Scene]) -> None:
    here = scene(CANARY)
    rule = here.generation.files.rules[0]
    move = Move(rule="demo", module=rule.sha256, at=AT, action=PROMOTE, came_from="canary 10%", to="enforce", by="ann")
    here.file.change(lambda _: move)  # and this process has not seen it yet
    here.decide("trap", times=3)
    assert here.file.read().moves == (move,)
    assert (here.stage, here.reloads) == ("enforce", 1)


def test_two_processes_write_one_move(scene: Callable[..., Scene]) -> None:
    one, generation = (here := scene(CANARY)).rolling, here.generation
    two = Rolling(Metrics(), here._say, lambda: None, clock=lambda: here.clock, now=lambda: AT)
    two.use(generation)
    here.decide("trap", times=3)
    here.rolling = two
    here.decide("trap", times=3, generation=generation)  # it has not seen the move yet
    assert len(here.file.read().moves) == 1
    assert one.shown()["demo"]["stage"] == "shadow"


@pytest.mark.parametrize("table", ["", '[rules.demo]\nmode = "canary"\nshare = 10\nfail = "deny"\n'])
def test_what_simply_serves_and_what_guards_is_not_moved(scene: Callable[..., Scene], table: str) -> None:
    here = scene(table)
    before = here.stage
    here.decide("trap", times=100)
    assert (here.stage, here.file.read().moves) == (before, ())


def test_a_rule_that_a_promotion_led_to_everybody_goes_back(scene: Callable[..., Scene]) -> None:
    here = scene('[rules.demo]\nmode = "shadow"\n')
    here.person("enforce")
    here.decide("fuel", times=3)
    assert here.stage == "shadow"


def test_it_is_promoted_of_itself_only_where_that_is_said_and_not_after_a_roll_back(
    scene: Callable[..., Scene],
) -> None:
    here = scene('[rules.demo]\nmode = "shadow"\n[rules.demo.rollout]\nauto = "promote"\nmin_decisions = 20\n')
    seen = []
    for _ in range(3):
        here.decide(times=20, shadow=True)
        seen.append(here.stage)
    assert seen == ["canary 5%", "canary 25%", "enforce"]
    here.decide("trap")
    assert here.stage == "shadow"
    here.decide(times=100, shadow=True)
    assert here.stage == "shadow"
    assert here.rolling.shown()["demo"]["held"]
    here.person("canary 5%")
    here.decide(times=20, shadow=True)
    assert here.stage == "canary 25%"


def test_a_move_that_cannot_be_written_is_said_and_tried_again(scene: Callable[..., Scene]) -> None:
    here = scene(CANARY)
    here.file.path.parent.mkdir(parents=True)
    here.file.path.write_text("version = 99\n")
    here.decide("trap", times=10)
    [line] = [line for line in here.said if line["event"] == "rollout_failed"]
    assert "stays at canary 10%" in str(line["problem"])
    here.file.path.unlink()
    here.decide("trap", times=10)
    assert here.stage == "canary 10%"
    here.clock += RETRY_S
    here.decide("trap")
    assert here.stage == "shadow"


def test_what_is_shown_of_a_shadow(scene: Callable[..., Scene]) -> None:
    here = scene('[rules.demo]\nmode = "shadow"\n')
    for route in ("here,a", "here,b", "here,b"):
        here.decide("route", route=route, shadow=True)
    here.decide("abstain", shadow=True)
    shown = here.rolling.shown()["demo"]
    assert {"calls": 4, "would_decide": 3, "in_shadow": 4, "disagreed": 2, "stage": "shadow"}.items() <= shown.items()
    for kind, count in (("call", 4), ("would_decide", 3), ("disagreed", 2)):
        assert f'terraphim_rollout_calls_total{{kind="{kind}",rule="demo"}} {count}.0' in here.text


def test_moves_that_were_there_before_are_not_said_again(scene: Callable[..., Scene]) -> None:
    here = scene(CANARY)
    here.person("enforce")
    later = Rolling(here.metrics, here._say, lambda: None)
    told = len(here.said)
    later.use(here.generation)
    assert len(here.said) == told
    assert Stage.parse(here.stage) == Stage("enforce")
