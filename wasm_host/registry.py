"""From a folder of modules to an immutable `RuleSet`.

Reading is defensive (strangers' files arrive in this folder, also half-written ones), compiling happens in a child,
and a file that fails changes nothing: its rule's last good version keeps serving, and the problem is named.
"""

import hashlib
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from wasm_host import abi
from wasm_host.compiler import Compiled, compile_module
from wasm_host.manifest import ManifestError, Settings, merge
from wasm_host.preflight import Refusal
from wasm_host.projection import Plan, make_plan
from wasm_host.rule import Problem, Rule, RuleSet

SUFFIXES: Final = (".wasm", ".wat")
#: Refusals that depend on the bytes alone, and are not worth finding out twice.
_REMEMBERED: Final = frozenset(
    {"not_wasm", "malformed", "component", "import", "export", "feature", "text", "compile", "start", "cpu"}
)
_NAME: Final = re.compile(abi.NAME_PATTERN)
_MANIFEST_SIZE: Final = 64 * abi.KIB


class _Unusable(Exception):
    """A file that gives no rule now."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def load_rules(
    folder: Path, operator: Mapping[str, Mapping[str, Any]], *, cache: Path, previous: RuleSet | None = None
) -> RuleSet:
    """All rules of `folder` (`*.wasm` and `*.wat`, not below it), with the operator's `[rules.NAME]` tables.

    `cache` keeps artifacts. With `previous`, unchanged modules are reused and failing files keep their old version.
    Takes 0.3 s and more for each new module: not for an event loop. Raises nothing.
    """
    return _Loader(folder, operator, cache, previous or RuleSet()).load()


def load_file(path: Path, operator: Mapping[str, Any], *, cache: Path) -> Rule | Refusal:
    """The rule that one file gives, wherever it lies; `operator` is its `[rules.NAME]` table."""
    loader = _Loader(path.parent, {path.stem: operator}, cache, RuleSet())
    rule = loader.rule(path.stem, [path])
    if rule:
        return rule
    [problem] = [problem for problem in loader.problems if not problem.warning]
    return loader.refusals.get(path.stem) or Refusal("file", problem.message, problem.hint)


class _Loader:
    def __init__(self, folder: Path, operator: Mapping[str, Mapping[str, Any]], cache: Path, previous: RuleSet) -> None:
        self.folder, self.operator, self.cache = folder, operator, cache
        self.previous = {rule.name: rule for rule in previous.rules}
        self.known = {rule.sha256: rule.compiled for rule in previous.rules}
        self.old = previous
        self.refused: dict[str, Refusal] = {}
        self.refusals: dict[str, Refusal] = {}
        self.problems: list[Problem] = []

    def load(self) -> RuleSet:
        try:
            files = self._files()
        except _Unusable as exc:
            return RuleSet(
                rules=self.old.rules, wants=self.old.wants, refused=self.old.refused,
                problems=(Problem(str(self.folder), exc.message, exc.hint),),
            )  # fmt: skip
        rules = [rule for name, paths in sorted(files.items()) if (rule := self.rule(name, paths))]
        self._unmatched(set(files))
        return RuleSet(
            rules=tuple(sorted(rules, key=lambda rule: (rule.settings.priority, rule.name))),
            problems=tuple(self.problems),
            wants=frozenset().union(*(rule.plan.wants() for rule in rules)),
            refused=self.refused,
        )

    def _files(self) -> dict[str, list[Path]]:
        """Candidate files by stem."""
        try:
            mode = self.folder.stat().st_mode
            if mode & stat.S_IWOTH:
                raise _Unusable("everybody may write into this folder", f"run: chmod o-w {self.folder}")
            paths = sorted(path for path in self.folder.iterdir() if path.suffix in SUFFIXES)
        except OSError as exc:
            raise _Unusable(f"cannot be read: {exc.strerror}", "make the folder, or set plugins.dir") from None
        files: dict[str, list[Path]] = {}
        for path in paths:
            files.setdefault(path.stem, []).append(path)
        return files

    def rule(self, name: str, paths: list[Path]) -> Rule | None:
        """The rule called `name`, or its last good version with a problem, or nothing but the problem."""
        path = paths[0]
        try:
            if not _NAME.fullmatch(name):
                raise _Unusable("the name is not allowed", "use at most 64 of a-z, 0-9, _ and - before the suffix")
            if len(paths) > 1:
                both = " and ".join(other.name for other in paths)
                raise _Unusable(f"{both} give one rule twice", "remove one of them")
            return self._build(name, path)
        except _Unusable as exc:
            old = self.previous.get(name)
            kept = "; its last good version keeps serving" if old else ""
            self.problems.append(Problem(str(path), exc.message + kept, exc.hint))
            return old

    def _build(self, name: str, path: Path) -> Rule:
        operator = self.operator.get(name, {})
        limits = _byte_limits(operator)
        source = _read(path, limits["module"])
        sidecar = self._sidecar(path.with_suffix(".toml"))
        compiled = self._compile(name, source, text=path.suffix == ".wat", limits=limits)
        facts = compiled.facts
        author = [
            (path.with_suffix(".toml").name, sidecar),
            ("custom section", facts.section),
            ("describe", facts.described),
        ]
        try:
            settings, notes = merge(operator, author)
            plan = make_plan(settings.input, settings.grant, settings.limits.request)
        except ManifestError as exc:
            raise _Unusable(str(exc), "mend the manifest") from None
        except ValueError as exc:
            raise _Unusable(f"input or grant: {exc}", "see the request's fields in the guide to rules") from None
        rule = _rule(name, compiled, settings, plan, notes)
        self.problems += [Problem(str(path), note, warning=True) for note in rule.notes]
        old = self.previous.get(name)
        return old if old == rule and old is not None else rule

    def _compile(self, name: str, source: bytes, *, text: bool, limits: Mapping[str, int]) -> Compiled:
        digest = hashlib.sha256(source).hexdigest()
        known = self.known.get(digest)
        if known and known.facts.memory <= limits["memory"] and known.artifact.exists():
            return known
        key = f"{'text' if text else 'binary'} {digest}"
        remembered = self.old.refused.get(key)
        result = remembered or compile_module(source, text=text, cache=self.cache, limits=limits)
        if isinstance(result, Refusal):
            self.refusals[name] = result
            if result.code in _REMEMBERED:
                self.refused[key] = result
            raise _Unusable(result.message, result.hint)
        return result

    def _sidecar(self, path: Path) -> dict[str, Any]:
        if not path.is_symlink() and not path.exists():
            return {}
        try:
            return tomllib.loads(_read(path, _MANIFEST_SIZE).decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise _Unusable(f"{path.name}: {exc}", "mend the manifest") from None

    def _unmatched(self, names: set[str]) -> None:
        for name in sorted(set(self.operator) - names):
            where = f"[rules.{name}]"
            self.problems.append(
                Problem(where, "there is no such module in the plugins folder", "add it", warning=True)
            )


def _rule(name: str, compiled: Compiled, settings: Settings, plan: Plan, notes: tuple[str, ...]) -> Rule:
    config = msgspec.json.encode(settings.config, order="sorted")
    view = msgspec.json.encode([plan, settings.config], order="sorted")
    remarks = [*notes, *load_notes(compiled, plan)]
    return Rule(
        name=name,
        compiled=compiled,
        settings=settings,
        plan=plan,
        config=config,
        view_key=hashlib.sha256(view).hexdigest()[:16],
        notes=tuple(remarks),
    )


def load_notes(compiled: Compiled, plan: Plan) -> list[str]:
    """Remarks that do not come from a manifest's own words: what is not granted, how the example request ended."""
    notes = [f"{path} is declared but not granted: the rule does not see it" for path in plan.ungranted]
    smoke = compiled.facts.smoke
    if smoke.code in abi.FAULTS:
        notes.append(f"the example request ends in {smoke.code}: {smoke.message}")
    return notes


def _byte_limits(operator: Mapping[str, Any]) -> dict[str, int]:
    """Limits that bear on loading; wrong values are found when the manifest is read."""
    given = operator.get("limits", {})
    given = given if isinstance(given, Mapping) else {}
    limits = {}
    for name in ("module", "memory"):
        value = given.get(name)
        limit = abi.LIMITS[name]
        limits[name] = min(value, limit.cap) if isinstance(value, int) and value > 0 else limit.default
    return limits


def _read(path: Path, limit: int) -> bytes:
    """A regular file's bytes, read once; `_Unusable` for links, devices and what is too large."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        if path.is_symlink():
            raise _Unusable("is a symbolic link", "copy the file itself into the folder") from None
        raise _Unusable(f"cannot be read: {exc.strerror}", "check its permissions") from None
    try:
        data = _read_regular(path, handle, limit)
    except OSError as exc:
        raise _Unusable(f"cannot be read: {exc.strerror}", "copy it again") from None
    finally:
        os.close(handle)
    if len(data) > limit:
        raise _Unusable(f"is larger than {limit} bytes", "build for size, or let the operator raise limits.module")
    return data


def _read_regular(path: Path, handle: int, limit: int) -> bytes:
    """At most `limit` + 1 bytes of an open file."""
    info = os.fstat(handle)
    if not stat.S_ISREG(info.st_mode):
        raise _Unusable("is not a regular file", "copy a module there")
    if info.st_mode & stat.S_IWOTH:
        raise _Unusable("everybody may write to it", f"run: chmod o-w {path}")
    with os.fdopen(handle, "rb", closefd=False) as file:
        return file.read(limit + 1)
