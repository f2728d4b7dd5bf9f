"""`python -m bench.compare`: this proxy beside bare floors, nginx and what a user would pick instead, in one run.

Each target has one core to itself; the mock and the load generator share another. Every answer is checked whole. What
is printed for a cell is requests per second, the ratio to ours with its lowest and highest, CPU and memory; at the end
each bound of issue 9 that traffic can show, held or missed. `make bench-peers` installs the peers; those that are not
there are named, and the rest runs. The exit code is 1 if ours or a floor gave a broken answer; a missed bound is
printed, and does not fail.
"""

import argparse
import os
import platform
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from bench import native_programs
from bench.compare import bounds, floors, network, ours, peers, report, rounds, streams
from bench.compare.cells import Cell, cells
from bench.compare.figures import Failed, Results, Turn
from bench.compare.rounds import Effort, Stage
from bench.compare.target import PEER, SAME, TRANSLATED, Target
from bench.row import Row, table

QUICK: Final = Effort(rounds=1, seconds=0.4, warm=0.1, answers=10, longest=10.0)
#: What ratios are made to, by way.
OURS: Final = {SAME: bounds.OURS, TRANSLATED: bounds.TRANSLATING}


def main() -> int:
    """The command line."""
    args = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped
    try:
        targets = chosen([*ours.targets(), *floors.targets(), *peers.targets()], args.targets)
        if any(target.kind == PEER for target in targets) and not network.isolated():
            network.isolate(sys.argv[1:])
        with TemporaryDirectory() as folder:
            return _run(args, targets, Path(folder))
    except (native_programs.NoCompiler, rounds.NotStarted, LookupError) as error:
        print(error, file=sys.stderr)
        return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round at c=16; figures scatter more")
    parser.add_argument("--rounds", type=int, help="turns of each target in a cell")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every turn and every bound")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw requests per second as SVG")
    only = "cells with this word (JSON, SSE, S, L, c=16, same, translated); repeatable, all must fit"
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help=only)
    names = "this target, or all of a kind (ours, floor, peer); repeatable"
    parser.add_argument("--targets", action="append", default=[], metavar="NAME", help=names)
    parser.add_argument("--streams", choices=("also", "only", "no"), default="also", help="the paced streams")
    return parser.parse_args()


def _run(args: argparse.Namespace, targets: Sequence[Target], folder: Path) -> int:
    effort = QUICK if args.quick else Effort()
    effort = msgspec.structs.replace(effort, rounds=args.rounds or effort.rounds)
    wanted = [] if args.streams == "only" else fitting(args.only, (16,) if args.quick else (1, 16, 64))
    print(f"Python {platform.python_version()}, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}")
    results, failed, paced = Results(), list[Failed](), list[streams.Paced]()
    for line in _lacks(targets):
        print(line)
    with rounds.stage(targets, folder) as (stage, absent):
        failed += absent
        _told(f"NOT STARTED: {one.why}" for one in absent)
        for cell in wanted:
            _told(_cell(stage, targets, cell, effort, results, failed))
        if args.streams != "no":
            _told(_streams(stage, targets, effort, paced, failed))
    verdicts = [*bounds.rows(results), *streams.rows(paced)]
    _told(table(verdicts))
    if args.json:
        args.json.write_bytes(as_json(results, paced, verdicts, failed))
    if args.plots:
        args.plots.mkdir(parents=True, exist_ok=True)
        for name, svg in report.pictures(results):
            (args.plots / name).write_text(svg)
    kinds = {target.name: target.kind for target in targets}
    return int(any(kinds.get(one.target) != PEER for one in failed))


def _lacks(targets: Sequence[Target]) -> Iterator[str]:
    """What is not as it should be, said before anything is measured."""
    if missing := peers.missing():
        yield f"NOT INSTALLED: {', '.join(missing)} (make bench-peers)"
    if "nginx" not in {target.name for target in floors.targets()}:
        yield "NOT INSTALLED: nginx (apt-get install nginx)"
    if any(target.kind == PEER for target in targets) and not network.isolated():
        yield "NOT ISOLATED: no network namespace can be made; against telemetry peers have only their own switches"


def chosen(targets: Sequence[Target], names: Sequence[str]) -> list[Target]:
    """Those of these names or kinds, all without any. LookupError for a name of none."""
    known = {target.name for target in targets} | {target.kind for target in targets}
    if unknown := set(names) - known:
        raise LookupError(f"no target is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return [target for target in targets if not names or {target.name, target.kind} & set(names)]


def fitting(words: Sequence[str], connections: tuple[int, ...]) -> list[Cell]:
    """The cells that have all of these words in their title. LookupError if there is none."""
    found = [cell for cell in cells(connections) if set(words) <= set(cell.title.split())]
    if not found:
        raise LookupError(f"no cell has all of {', '.join(words)}")
    return found


def _told(lines: Iterator[str]) -> None:
    for line in lines:
        print(line, flush=True)


def _cell(
    stage: Stage, targets: Sequence[Target], cell: Cell, effort: Effort, results: Results, failed: list[Failed]
) -> Iterator[str]:
    for turn in rounds.turns(stage, targets, cell, effort):
        if isinstance(turn, Turn):
            results.add(turn)
        else:
            failed.append(turn)
            yield f"FAILED: {turn.target}, {turn.where}: {turn.why}"
    yield from report.lines(results, cell, OURS[cell.way])


def _streams(
    stage: Stage, targets: Sequence[Target], effort: Effort, paced: list[streams.Paced], failed: list[Failed]
) -> Iterator[str]:
    for turn in streams.paced(stage, targets, min(effort.rounds, 3), 5 * effort.seconds):
        if isinstance(turn, streams.Paced):
            paced.append(turn)
        else:
            failed.append(turn)
            yield f"FAILED: {turn.target}, {turn.where}: {turn.why}"
    yield from streams.table(paced)


def as_json(
    results: Results, paced: Sequence[streams.Paced], verdicts: Sequence[Row], failed: Sequence[Failed]
) -> bytes:
    """Everything that was measured, for other programs."""
    rows = [row.as_dict() for row in verdicts]
    whole = {"turns": results.all(), "paced": paced, "bounds": rows, "failed": failed}
    return msgspec.json.format(msgspec.json.encode(whole), indent=1)


if __name__ == "__main__":
    sys.exit(main())
