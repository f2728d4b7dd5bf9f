"""`python -m prove --profile short|full`: promises of the rule host, tried on a real proxy.

The exit code is 1 if one is broken.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from prove import answers, attacks, endurance, kills, leaks, storm
from prove.profile import PROFILES, Profile
from prove.section import Section, show

Proof = Callable[[Path, Profile], Section]
#: The promises, in the order of the issue.
PROOFS: dict[str, Proof] = {
    "attacks": lambda folder, much: attacks.section(folder, much.every, much.rounds),
    "kills": lambda folder, much: kills.section(folder, much.kills),
    "storm": lambda folder, much: storm.section(folder, much.file_operations),
    "answers": lambda folder, much: answers.section(folder, much.answers, much.answers_over_http),
    "leaks": lambda folder, _: leaks.section(folder),
    "endurance": lambda folder, much: endurance.section(folder, much.calls, much.traps),
}


def _proofs(names: list[str], profile: Profile, folder: Path) -> Iterator[Section]:
    for name in names:
        try:
            yield PROOFS[name](folder / name, profile)
        except Exception as exc:  # noqa: BLE001 - the others are still to be shown
            yield Section(name, findings=[f"{type(exc).__name__}: {exc}"])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m prove", description=__doc__)
    parser.add_argument("--profile", choices=list(PROFILES), default="short")
    parser.add_argument("--only", action="append", choices=list(PROOFS), help="this promise; repeatable")
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        sections = _proofs(args.only or list(PROOFS), PROFILES[args.profile], Path(folder))
        sys.exit(1 if show(sections) else 0)


if __name__ == "__main__":
    main()
