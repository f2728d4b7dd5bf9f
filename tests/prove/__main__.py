"""`python -m prove --profile short|full`: what the documentation promises, tried on a real proxy.

Writes prove.json. The exit code is 1 if a promise is broken.
"""

import argparse
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from prove import report
from prove.profile import PROFILES, Profile
from prove.promises import PROMISES
from prove.section import Section, Stopwatch, show


def tried(names: list[str], profile: Profile, folder: Path) -> Iterator[Section]:
    """One after the other; a proof that fails in itself has shown nothing, which is a finding."""
    for name in names:
        with Stopwatch() as watch:
            try:
                section = PROMISES[name](folder / name, profile)
            except Exception as exc:  # noqa: BLE001 - the others are still to be shown
                section = Section(name, findings=[f"{type(exc).__name__}: {exc}"])
        section.name, section.seconds = name, watch.seconds
        yield section


def _reported(sections: Iterator[Section], profile: str, path: Path) -> Iterator[Section]:
    """The same, each in the file as soon as it is there: the next one may take long."""
    done, commit = list[Section](), report.checked_out()
    for section in sections:
        done.append(section)
        report.write(path, profile, done, commit)
        yield section


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m prove", description=__doc__)
    parser.add_argument("--profile", choices=list(PROFILES), default="short")
    parser.add_argument("--only", action="append", choices=list(PROMISES), help="this promise; repeatable")
    parser.add_argument("--json", type=Path, default=Path("prove.json"), help="where the results are")
    parser.add_argument("--write-docs", action="store_true", help="only put them into docs/security.md")
    args = parser.parse_args()
    if args.write_docs:
        report.write_docs(args.json)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped
    with TemporaryDirectory() as folder:
        sections = tried(args.only or list(PROMISES), PROFILES[args.profile], Path(folder))
        sys.exit(1 if show(_reported(sections, args.profile, args.json)) else 0)


if __name__ == "__main__":
    main()
