"""`python -m bench`: every figure in one run. `--json` prints JSON instead; `--only` some suites; `--quick` fewer runs.

The exit code says whether the bench itself worked: a missed bound is printed, and does not fail.
"""

import argparse
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from bench import (
    backtests,
    decision_records,
    decisions,
    generated,
    memory,
    observing,
    records,
    replays,
    rule_workers,
    rules,
    scrapes,
    sessions,
    starting,
    texts,
    token_errors,
    translation,
    transports,
    watching,
)
from bench.native_programs import NoCompiler
from bench.row import Row, table
from bench.scale import suite as scale
from bench.scale.measuring import QUICK, Effort


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs; figures scatter more")
    parser.add_argument("--only", action="append", choices=list(_suites(quick=False)), help="this suite; repeatable")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw the curves of `scale` as SVG")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped
    suites = {
        name: run
        for name, run in _suites(quick=args.quick, plots=args.plots).items()
        if not args.only or name in args.only
    }
    rows = (row for run in suites.values() for row in run())
    machine = f"Python {platform.python_version()}, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}"
    if args.json:
        whole = {"machine": machine, "rows": [row.as_dict() for row in rows]}
        print(msgspec.json.format(msgspec.json.encode(whole), indent=2).decode())
        return
    print(machine)
    missed: list[str] = []
    for line in table(_noting(rows, missed)):
        print(line, flush=True)
    print(f"\n{len(missed)} bounds missed" + "".join(f"\n  {name}" for name in missed))


def _suites(*, quick: bool, plots: Path | None = None) -> dict[str, Callable[[], Iterator[Row]]]:
    return {
        "decisions": lambda: decisions.rows(300 if quick else 3000),
        "rules": lambda: rules.rows(1000 if quick else 10_000),
        "workers": lambda: rule_workers.rows(500 if quick else 5000),
        "texts": lambda: texts.rows(3 if quick else 7, 100 if quick else 1000),
        "translation": lambda: translation.rows(50 if quick else 400),
        "backtests": lambda: backtests.rows(300 if quick else 3000),
        "records": lambda: records.rows(1000 if quick else 10_000),
        "generated": lambda: generated.rows(300 if quick else 3000),
        "decision-records": lambda: decision_records.rows(500 if quick else 5000),
        "replays": lambda: replays.rows(100 if quick else 2000),
        "observing": lambda: observing.rows(500 if quick else 5000),
        "feed": lambda: watching.rows(500 if quick else 5000),
        "metrics": lambda: scrapes.rows(500 if quick else 5000, 3.0 if quick else 10.0),
        "tokens": token_errors.rows,
        "sessions": lambda: sessions.rows(100 if quick else 1000, 3 if quick else 30),
        "scale": lambda: scale.rows(QUICK if quick else Effort(), plots),
        "starting": lambda: starting.rows(2 if quick else 7),
        "memory": memory.rows,
        "transports": lambda: transports.rows(1 if quick else 5, 2.0 if quick else 8.0),
    }


def _noting(rows: Iterator[Row], missed: list[str]) -> Iterator[Row]:
    for row in rows:
        if row.verdict == "MISSED":
            missed.append(row.name)
        yield row


if __name__ == "__main__":
    try:
        main()
    except NoCompiler as error:
        sys.exit(str(error))
