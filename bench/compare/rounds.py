"""The measuring: targets take turns in every round, so that what else the machine does falls on all of them."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bench import children, load_generator
from bench.children import Cores
from bench.compare.cells import Cell, Requests
from bench.compare.figures import Failed, Turn
from bench.compare.target import PEER, Place, Running, Target
from bench.load_generator import Ask, Broken, Seen, Window

#: LiteLLM is imported for half a minute on a busy machine (s).
START_S: Final = 180.0


class NotStarted(RuntimeError):
    """A target does not give whole answers."""


class Effort(Struct, frozen=True):
    """How long is measured. A slow target gets longer: until it has so many `answers`, at most `longest` seconds."""

    rounds: int = 5
    seconds: float = 1.0
    warm: float = 0.3
    answers: int = 30
    longest: float = 20.0


class Stage(Struct, frozen=True):
    """Everything that runs, and where the load generator does."""

    running: dict[str, Running]
    mock: Running
    requests: Requests
    cores: Cores
    home: Path

    def turn(self, cell: Cell, target: Target, number: int, effort: Effort) -> Turn:
        """One turn. The warm-up is a run of its own, so that CPU time can be divided by requests."""
        running, ask = self.running[target.name], self.requests.ask(cell, target.speeches[cell.way])
        self.load(running, ask, Window(effort.warm, cell.connections, longest=effort.longest, least=1))
        cpu_before, asked_before = running.cpu_s(), self.asked()
        window = Window(effort.seconds, cell.connections, least=effort.answers, longest=effort.longest)
        seen = self.load(running, ask, window)
        cpu_s, asked = running.cpu_s() - cpu_before, self.asked() - asked_before
        if asked < seen.all:
            raise Broken(f"{seen.all} answers, but the provider was asked {asked} times: somebody keeps answers")
        return Turn(cell, target.name, number, seen, cpu_s * 1000 / seen.all, running.pss_mb())

    def load(self, running: Running, ask: Ask, window: Window) -> Seen:
        """One run of the load generator; `Broken` if an answer was."""
        return load_generator.run(running.port, ask, window, core=self.cores.around, home=self.home)

    def asked(self) -> int:
        """Requests that the mock has seen."""
        _, stats = children.request(self.mock.port, "GET", "/stats")
        return int(msgspec.json.decode(stats)["requests"])

    def pace(self, events: int, gap_us: int) -> None:
        """Streams from now on. The mock refuses while one goes on, as a client's end may not have reached it yet."""
        children.until(lambda: children.request(self.mock.port, "GET", f"/pace/{events}/{gap_us}")[0] == 200)

    def start(self, target: Target, folder: Path, stack: ExitStack) -> None:
        """Until it gives whole answers in every way in which it can be asked. `NotStarted` if it does not."""
        place = Place(folder, self.mock.port, self.cores)
        running = self.running[target.name] = stack.enter_context(target.start(place))
        for way, speech in target.speeches.items():
            ready = partial(self._ready, running, self.requests.ask(Cell("JSON", "S", 1, way), speech))
            if not children.until(ready, START_S, pause_s=0.1) or running.gone:
                words = running.log.read_text(errors="replace")[-1000:] if running.log else ""
                raise NotStarted(f"{target.name} does not answer ({way}): {words}")

    def _ready(self, running: Running, ask: Ask) -> bool:
        """Whether it answers, or never will."""
        return running.gone or load_generator.answers(running.port, ask, core=self.cores.around, home=self.home)


@contextmanager
def stage(targets: Sequence[Target], folder: Path) -> Iterator[tuple[Stage, list[Failed]]]:
    """The mock and all targets, started; and the peers that could not be. `NotStarted` if it was another one."""
    cores, absent = Cores.available(), list[Failed]()
    with ExitStack() as stack:
        mock = stack.enter_context(children.native("mock", core=cores.around, home=folder / "mock"))
        provider = Running(mock.process.pid, mock.port)
        requests = Requests(folder / "requests", provider.url)
        made = Stage({}, provider, requests, cores, folder / "load")
        for number, target in enumerate(targets):
            try:
                made.start(target, folder / str(number), stack)
            except NotStarted as error:
                if target.kind != PEER:
                    raise
                del made.running[target.name]
                absent.append(Failed(target.name, "start", str(error)))
        yield made, absent


def turns(stage: Stage, targets: Sequence[Target], cell: Cell, effort: Effort) -> Iterator[Turn | Failed]:
    """Every round, every target that can be asked in the cell's way; one that fails is left out from then on."""
    asked = [target for target in targets if target.name in stage.running and cell.way in target.speeches]
    for number in range(effort.rounds):
        for target in list(asked):
            try:
                yield stage.turn(cell, target, number, effort)
            except Broken as error:
                asked.remove(target)
                yield Failed(target.name, cell.title, str(error))
