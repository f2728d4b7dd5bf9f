"""`python tools/golden.py [PATTERN]`: write the parts that cases of the matrix lack, for review. No test does this.

`--all` writes every part anew, and so accepts whatever the code does now: read the diff. PATTERN chooses cases by a
part of KIND/OWNER/SCENARIO.
"""

import argparse
from dataclasses import replace

from golden_cases import write_parts
from golden_matrix import KINDS, load, scenarios


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pattern", nargs="?", default="")
    parser.add_argument("--all", action="store_true", help="also the parts that are there")
    args = parser.parse_args()
    for kind, known in KINDS.items():
        for owner in known.owners:
            for scenario in scenarios(kind, owner):
                if args.pattern in f"{kind}/{owner}/{scenario}":
                    _write(kind, owner, scenario, anew=args.all)


def _write(kind: str, owner: str, scenario: str, *, anew: bool) -> None:
    case, known = load(kind, owner, scenario), KINDS[kind]
    kept = {} if anew else case.parts
    parts = {other: kept.get(other) or known.part(case, owner, other) for other in known.others}
    parts |= {other: data for other, data in case.parts.items() if other not in parts}
    if parts != case.parts:
        write_parts(f"matrix/{kind}/{owner}", scenario, replace(case, parts=parts))
        print(f"{kind}/{owner}/{scenario}: {', '.join(name for name in parts if parts[name] != case.parts.get(name))}")


if __name__ == "__main__":
    main()
