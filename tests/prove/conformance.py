"""`python -m prove.conformance`: vectors, bombs, damaged, generated and mutated modules, and what came of them.

Every module loads or is refused with a reason, runs to an outcome, twice the same, and takes nobody with it. The exit
code is 1 if that was not so. `--share 20` does a twentieth of what is generated.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from prove import bombs, damaged, fuzzing, smith
from prove.loading import Judged, ill_said, judge
from prove.section import Section, show, tally
from prove.trial import Trial, try_all
from prove.vectors import Vector, vectors

MUTANTS: Final = 40_000
#: CPU seconds in which a bomb of at most `bombs.SMALL` bytes must be judged.
BOMB_CPU_S: Final = 3.0
_PARALLEL: Final = 2


def sections(folder: Path, share: int = 1) -> Iterator[Section]:
    """All that there is to show, with 1 / `share` of what is generated; files go to `folder`."""
    yield vector_section(vectors()[::share], folder / "vectors")
    yield bomb_section(folder, share)
    tool = smith.Tool(folder)
    binaries = {vector.path.stem: tool.binary(vector.path.read_bytes()) for vector in vectors() if _has_binary(vector)}
    yield module_section("damaged files", list(damaged.damaged(binaries, share)), folder / "damaged")
    yield module_section("generated modules", list(smith.generated(folder, share)), folder / "generated")
    yield mutant_section(list(binaries.values()), MUTANTS // share)


def _has_binary(vector: Vector) -> bool:
    return (vector.kind, vector.code) != ("load", "text")


def vector_section(chosen: list[Vector], cache: Path) -> Section:
    """The committed vectors, each as its first line says."""
    trials = try_all([vector.path for vector in chosen], cache)
    section = Section(f"{len(chosen)} vectors")
    for group in ("good", "hostile", "refused"):
        members = [(vector, trials[vector.path]) for vector in chosen if vector.group == group]
        section.counts[group] = f"{len(members)}: {_codes(trial for _, trial in members)}"
        section.findings += [
            f"{group}/{vector.path.name}: {trial.code}, not {vector.code}"
            for vector, trial in members
            if trial.code != vector.code or trial.loaded != (vector.kind == "outcome")
        ]
    section.findings += [f"{path.name}: {trial.problem}" for path, trial in trials.items() if trial.problem]
    return section


def bomb_section(folder: Path, share: int) -> Section:
    """The bombs, one after the other, so that each child's CPU can be told."""
    section = Section("bombs")
    for name, bomb in list(bombs.BOMBS.items())[::share]:
        data = bomb.make()
        path = folder / f"{name}{'.wat' if name.endswith('_text') else '.wasm'}"
        path.write_bytes(data)
        judged = _measured(path)
        section.counts[name] = f"{len(data) / 1024:9.1f} KiB  {judged.cpu_s:5.2f} s of CPU  {judged.code}"
        section.findings += [f"{name}: {problem}" for problem in _bomb_problems(bomb, len(data), judged)]
    return section


def _measured(path: Path) -> Judged:
    """One more try if it took too long: seconds that the machine's own host takes away are counted as ours."""
    for attempt in range(2):
        judged = judge(path, cache=path.parent / f"cache-{path.stem}-{attempt}")
        if judged.cpu_s <= BOMB_CPU_S:
            break
    return judged


def _bomb_problems(bomb: bombs.Bomb, size: int, judged: Judged) -> Iterator[str]:
    if size <= bombs.SMALL and judged.cpu_s > BOMB_CPU_S:
        yield f"{judged.cpu_s:.2f} s of CPU, the bound is {BOMB_CPU_S}"
    if bomb.code and judged.code != bomb.code:
        yield f"{judged.code}, not {bomb.code}"
    if problem := ill_said(judged):
        yield problem


def module_section(title: str, made: list[smith.Made], folder: Path) -> Section:
    """Modules that nobody wrote: by kind, what came of them."""
    folder.mkdir()
    section, paths = Section(f"{len(made)} {title}"), {}
    for number, module in enumerate(made):
        paths[folder / f"m{number}.wasm"] = module
        (folder / f"m{number}.wasm").write_bytes(module.data)
    trials = try_all(list(paths), folder / "cache")
    for kind in dict.fromkeys(module.kind for module in made):
        members = [(module, trials[path]) for path, module in paths.items() if module.kind == kind]
        section.counts[kind] = f"{len(members)}: {_codes(trial for _, trial in members)}"
        section.findings += [
            f"{module.name}: {problem}" for module, trial in members for problem in _module_problems(module, trial)
        ]
    return section


def _module_problems(module: smith.Made, trial: Trial) -> Iterator[str]:
    if trial.problem:
        yield trial.problem
    if module.code and trial.code != module.code and (trial.loaded or trial.code not in smith.EQUIVALENT_MAY):
        yield f"{trial.code}; the vector that it is equivalent to ends in {module.code}"
    if module.kind in (smith.RULE, smith.PROGRAM) and not trial.loaded and trial.code not in smith.RULE_MAY:
        yield f"is a valid rule, and refused as {trial.code}"


def mutant_section(seeds: list[bytes], count: int) -> Section:
    """Bytes for the preflight, beside the engine."""
    with ThreadPoolExecutor(_PARALLEL) as pool:
        starts = range(0, count, fuzzing.BATCH)
        tallies = list(pool.map(lambda first: fuzzing.fuzz(seeds, first, min(fuzzing.BATCH, count - first)), starts))
    codes = _sum(entry.codes for entry in tallies)
    weighed, heaviest = sum(entry.weighed for entry in tallies), max(entry.calls_per_byte for entry in tallies)
    return Section(
        f"{sum(codes.values())} mutants for the preflight",
        {
            "verdicts": tally(codes),
            "of which the engine accepts": tally(_sum(entry.engine for entry in tallies)),
            "work": f"at most {heaviest:.1f} calls a byte in {weighed}, the bound is {fuzzing.CALLS_PER_BYTE}",
        },
        [finding for entry in tallies for finding in entry.findings],
    )


def _codes(trials: Iterable[Trial]) -> str:
    return tally(Counter(trial.code if trial.loaded else f"refused ({trial.code})" for trial in trials))


def _sum(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return total


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m prove.conformance", description=__doc__)
    parser.add_argument("--share", type=int, default=1, help="do 1/SHARE of what is generated")
    share = parser.parse_args().share
    with TemporaryDirectory() as folder:
        sys.exit(1 if show(sections(Path(folder), share)) else 0)


if __name__ == "__main__":
    main()
