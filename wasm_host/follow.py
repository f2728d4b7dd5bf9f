"""`rules dev`: whenever the sources of a rule change, build, check, test, and put it where a proxy serves."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from wasm_host import checking, examination, shadow, testing
from wasm_host.preflight import Refusal
from wasm_host.shadow import Unsafe
from wasm_host.workshop import NoModule, Watch, Workshop, build

#: Seconds between two looks at the sources.
LOOK_S: Final = 0.3
#: Failed checks that are printed in one round.
_SHOWN: Final = 5


class Step(Struct, frozen=True):
    """One step that was taken, what there is to say about it, and whether it succeeded."""

    name: str
    text: str = ""
    ok: bool = True

    def __str__(self) -> str:
        first, *more = self.text.splitlines() or [""]
        return "\n".join([f"{self.name:<6} {'ok' if self.ok else 'FAILED':<7} {first}".rstrip(), *more])


def _nobody(_name: str, _sha256: str) -> bool:
    return False


class Place(Struct, frozen=True):
    """What a round needs beside the sources: the plugins folder, the operator's tables, the targets, the cache.

    `promoted` says whether a rule's module would decide there, whatever its manifest says.
    """

    plugins: Path
    operators: Mapping[str, Mapping[str, Any]]
    targets: frozenset[str] | None
    cache: Path
    promoted: Callable[[str, str], bool] = _nobody


def follow(workshop: Workshop, place: Place, *, sleep: Callable[[float], None]) -> Iterator[Step]:
    """Rounds without end: one at once, and one whenever the sources differ. `sleep` waits for so many seconds.

    What changes between two looks is still being written, so two equal looks begin a round.
    """
    watch = Watch(workshop)
    built: dict[Path, str] | None = None
    before: dict[Path, str] | None = None
    while True:
        now = watch.look()
        if now != built and now == before:
            built = now
            yield from work(workshop, place)
            yield Step("watch", f"{len(now)} files in {workshop.folder}; Ctrl-C ends")
        before = now
        sleep(LOOK_S)


def work(workshop: Workshop, place: Place) -> Iterator[Step]:
    """One round; the first step that fails is the last, and what was in the plugins folder stays."""
    if workshop.command:
        ok, output = build(workshop)
        yield Step("build", " ".join(workshop.command) + (f"\n{output}" if output else ""), ok)
        if not ok:
            return
    try:
        module = workshop.module()
        code = module.read_bytes()
    except (NoModule, OSError) as exc:
        yield Step("build", str(exc), ok=False)
        return
    for step in (_check, _test):
        done = step(module, place)
        yield done
        if not done.ok:
            return
    yield _swap(module, code, place)


def _check(module: Path, place: Place) -> Step:
    findings = checking.check(module, place.operators, cache=place.cache, targets=place.targets)
    errors = sum(finding.error for finding in findings)
    lines = [f"{module.name}: {errors} errors, {len(findings) - errors} warnings", *map(str, findings)]
    return Step("check", "\n".join(lines), not errors)


def _test(module: Path, place: Place) -> Step:
    """The author's cases are asked without the operator's table, as `rules test` does. No cases: said, no failure."""
    checks = examination.examine(module, cache=place.cache)
    if isinstance(checks, Refusal):
        return Step("test", f"{module}: rule {module.stem}: {checks}", ok=False)
    failed = [check for check in checks if not check.ok]
    broken = [check for check in failed if check.kind != "none"]
    lines = [f"{module.name}: {len(checks) - len(failed)} passed, {len(broken)} failed"]
    lines += [f"{check.kind} {check.name}: {check.message}" for check in failed[:_SHOWN]]
    lines += [f"{len(failed) - _SHOWN} more: see terraphim-proxy rules test {module}"] if len(failed) > _SHOWN else []
    return Step("test", "\n".join(lines), not broken)


def _swap(module: Path, code: bytes, place: Place) -> Step:
    operator = place.operators.get(module.stem, {})
    rule = testing.inspect(module, cache=place.cache, operator=operator)
    digest = hashlib.sha256(code).hexdigest()
    if isinstance(rule, Refusal) or rule.sha256 != digest:
        return Step("swap", f"{module}: changed while it was tested; the next round takes it up", ok=False)
    if place.promoted(module.stem, digest):
        name = module.stem
        what = f"{module}: these very bytes were promoted, and would decide; run: terraphim-proxy rules rollback {name}"
        return Step("swap", what, ok=False)
    try:
        target = shadow.put(module, code, place.plugins, operator)
    except Unsafe as exc:
        return Step("swap", str(exc), ok=False)
    except OSError as exc:
        return Step("swap", f"{exc.filename}: {exc.strerror}; the folder must be yours to write", ok=False)
    return Step("swap", f"{target} in shadow mode, sha256 {digest[:12]}")
