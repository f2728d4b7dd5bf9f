"""Files through loader and runner: each is judged, and what loads is asked twice in each of two processes."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from msgspec import Struct

from prove.asking import BATCH, Batch, Said, ask
from prove.loading import Judged, ill_said, judge
from wasm_host import abi

_PARALLEL: Final = 2
#: Ends that the clock decides, so that two calls need not agree.
_CLOCKED: Final = "timeout"


class Trial(Struct, frozen=True):
    """`code` is an outcome if the file `loaded`, else a refusal. `problem` says which promise it broke, if any."""

    loaded: bool
    code: str
    problem: str = ""


def try_all(paths: Sequence[Path], cache: Path) -> dict[Path, Trial]:
    """What came of each file. Folders below `cache` hold one batch each: a cache keeps only so many entries."""
    caches = {path: cache / f"batch-{number // BATCH}" for number, path in enumerate(paths)}
    with ThreadPoolExecutor(_PARALLEL) as pool:
        judged = dict(zip(paths, pool.map(lambda path: judge(path, cache=caches[path]), paths), strict=True))
        loaded = [path for path in paths if judged[path].code == "loaded"]
        groups = [[path for path in loaded if caches[path] == folder] for folder in dict.fromkeys(caches.values())]
        twice = [group for group in groups if group] * 2
        batches = list(pool.map(lambda group: ask(group, cache=caches[group[0]]), twice))
    said: dict[Path, list[Said]] = {path: [] for path in paths}
    for batch in batches:
        for asked in batch.asked:
            said[Path(asked.path)] += asked.said
    deaths = _deaths(twice, batches)
    return {path: _trial(judged[path], said[path], deaths.get(path, "")) for path in paths}


def _deaths(groups: Iterable[Sequence[Path]], batches: Iterable[Batch]) -> dict[Path, str]:
    """The first module of each group that a child which ended early did not answer for."""
    return {group[len(batch.asked)]: batch.died for group, batch in zip(groups, batches, strict=True) if batch.died}


def _trial(judged: Judged, said: Sequence[Said], death: str) -> Trial:
    if judged.code != "loaded":
        return Trial(loaded=False, code=judged.code, problem=ill_said(judged))
    code = said[0].code if said else "nothing"
    return Trial(loaded=True, code=code, problem=f"the runner ended, {death}" if death else _disagreement(said))


def _disagreement(said: Sequence[Said]) -> str:
    codes = {one.code for one in said}
    if len(said) < 4:
        return f"asked {len(said)} times instead of 4"
    if unknown := codes - set(abi.OUTCOMES):
        return f"ended in {', '.join(sorted(unknown))}"
    if _CLOCKED in codes or len(set(said)) == 1:
        return ""
    return f"four calls, {len(set(said))} ends: " + " / ".join(sorted({f"{one.code}, {one.fuel}" for one in said}))
