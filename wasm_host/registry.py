"""From a folder of modules to an immutable `RuleSet`.

Reading is defensive (strangers' files arrive in this folder, also half-written ones), compiling happens in a child,
and a file that fails changes nothing: its rule's last good version keeps serving, and the problem is named.
"""

import hashlib
import re
import stat
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from wasm_host import abi, trust
from wasm_host.compiler import Compiled, compile_module
from wasm_host.files import Unusable
from wasm_host.manifest import ManifestError, Settings, merge
from wasm_host.preflight import Refusal
from wasm_host.projection import Plan, make_plan
from wasm_host.rule import Problem, Rule, RuleSet, wants_of

_RELOCK: Final = "copy it there, or run: terraphim-proxy rules lock"
NO_POLICY: Final = trust.Policy()
#: Refusals that depend on the bytes alone, and are not worth finding out twice.
_REMEMBERED: Final = frozenset(
    {"not_wasm", "malformed", "component", "import", "export", "feature", "text", "compile", "start", "cpu"}
)
_NAME: Final = re.compile(abi.NAME_PATTERN)


def load_rules(
    folder: Path,
    operator: Mapping[str, Mapping[str, Any]],
    *,
    cache: Path,
    previous: RuleSet | None = None,
    policy: trust.Policy = NO_POLICY,
    keep: Callable[[bytes], object] = lambda _: None,
) -> RuleSet:
    """All rules of `folder` (`*.wasm` and `*.wat`, not below it), with the operator's `[rules.NAME]` tables.

    A `plugins.lock` in the folder is enforced, and so is `policy`.

    `cache` keeps artifacts. With `previous`, unchanged modules are reused and failing files keep their old version.
    `keep` is given the bytes of each file that the set is made of: modules, manifests, signatures, the lock.
    Takes 0.3 s and more for each new module: not for an event loop. Raises nothing.
    """
    return _Loader(folder, operator, cache, previous or RuleSet(), policy, keep=keep).load()


def load_file(
    path: Path, operator: Mapping[str, Any], *, cache: Path, policy: trust.Policy = NO_POLICY
) -> Rule | Refusal:
    """The rule that one file gives, wherever it lies; `operator` is its `[rules.NAME]` table.

    For those who work on it: what a lock beside it and `policy` say against it is a note of the rule, no refusal.
    """
    loader = _Loader(path.parent, {path.stem: operator}, cache, RuleSet(), policy, advisory=True)
    loader.look_at_lock()
    rule = loader.rule(path.stem, [path])
    if rule:
        return rule
    [problem] = [problem for problem in loader.problems if not problem.warning]
    return loader.refusals.get(path.stem) or Refusal("file", problem.message, problem.hint)


class _Loader:
    def __init__(
        self,
        folder: Path,
        operator: Mapping[str, Mapping[str, Any]],
        cache: Path,
        previous: RuleSet,
        policy: trust.Policy,
        *,
        advisory: bool = False,
        keep: Callable[[bytes], object] = lambda _: None,
    ) -> None:
        self.folder, self.operator, self.cache = folder, operator, cache
        self.policy, self.advisory = policy, advisory
        self.keep = keep
        self.lock: trust.Lock | None = None
        self.lock_sha256 = ""
        self.doubts: tuple[str, ...] = ()
        self.previous = {rule.name: rule for rule in previous.rules}
        self.known = {rule.sha256: rule.compiled for rule in previous.rules}
        self.old = previous
        self.refused: dict[str, Refusal] = {}
        self.refusals: dict[str, Refusal] = {}
        self.problems: list[Problem] = []

    def load(self) -> RuleSet:
        try:
            files = self._files()
        except Unusable as exc:
            return self._nothing_new(self.folder, exc)
        try:
            self._read_lock()
        except Unusable as exc:
            return self._nothing_new(self.folder / trust.LOCK_NAME, exc)
        rules = [rule for name, paths in sorted(files.items()) if (rule := self.rule(name, paths))]
        self._unmatched(set(files))
        return self._set(rules)

    def _read_lock(self) -> None:
        data = trust.lock_bytes(self.folder, required=self.policy.require_lock)
        if data is not None:
            self.lock, self.lock_sha256 = trust.parse_lock(data), hashlib.sha256(data).hexdigest()
            self.keep(data)

    def _nothing_new(self, where: Path, fault: Unusable) -> RuleSet:
        """What serves already, as far as the policy still allows it: no file of the folder can be judged."""
        self.refused, self.lock_sha256 = dict(self.old.refused), self.old.lock
        rules = [kept for rule in self.old.rules if (kept := self._still_good(rule))]
        said = "; what was loaded before keeps serving" if rules else ""
        self.problems.append(Problem(str(where), fault.message + said, fault.hint))
        return self._set(rules)

    def _set(self, rules: list[Rule]) -> RuleSet:
        return RuleSet(
            rules=tuple(sorted(rules, key=lambda rule: (rule.settings.priority, rule.name))),
            problems=tuple(self.problems),
            wants=wants_of(rules),
            refused=self.refused,
            lock=self.lock_sha256,
        )

    def look_at_lock(self) -> None:
        """Read the lock for one file; one that cannot be relied upon is a doubt."""
        try:
            self.lock = trust.read_lock(self.folder, required=self.policy.require_lock)
        except Unusable as exc:
            self.doubts = (f"{trust.LOCK_NAME} {exc.message}",)

    def _files(self) -> dict[str, list[Path]]:
        """Candidate files by stem."""
        try:
            mode = self.folder.stat().st_mode
            if mode & stat.S_IWOTH:
                raise Unusable("everybody may write into this folder", f"run: chmod o-w {self.folder}")
            paths = sorted(path for path in self.folder.iterdir() if path.suffix in abi.SUFFIXES)
        except OSError as exc:
            raise Unusable(f"cannot be read: {exc.strerror}", "make the folder, or set plugins.dir") from None
        files: dict[str, list[Path]] = {}
        for path in paths:
            files.setdefault(path.stem, []).append(path)
        return files

    def rule(self, name: str, paths: list[Path]) -> Rule | None:
        """The rule called `name`, or its last good version with a problem, or nothing but the problem."""
        path = paths[0]
        try:
            if not _NAME.fullmatch(name):
                raise Unusable("the name is not allowed", "use at most 64 of a-z, 0-9, _ and - before the suffix")
            if len(paths) > 1:
                both = " and ".join(other.name for other in paths)
                raise Unusable(f"{both} give one rule twice", "remove one of them")
            return self._build(name, path)
        except Unusable as exc:
            old = self.previous.get(name)
            kept = self._still_good(old) if old else None
            said = "its last good version keeps serving" if kept else "what served before is no longer trusted either"
            self.problems.append(Problem(str(path), f"{exc.message}; {said}" if old else exc.message, exc.hint))
            return kept

    def _still_good(self, old: Rule) -> Rule | None:
        """The last good version with the trust that it deserves now; None if lock or policy forbid it by now."""
        verdict = trust.judge(self.policy, self.lock, old.evidence) if old.evidence else ""
        if isinstance(verdict, Refusal):
            return None
        return old if old.trust == verdict else msgspec.structs.replace(old, trust=verdict)

    def _judge(self, evidence: trust.Evidence) -> tuple[str, tuple[str, ...]]:
        """How far the files are trusted, and remarks on that; `Unusable` if they must not be used."""
        verdict = trust.judge(self.policy, self.lock, evidence)
        if not isinstance(verdict, Refusal):
            return ("" if self.doubts else verdict), self.doubts
        if self.advisory:
            return "", (*self.doubts, f"a proxy would refuse this: {verdict}")
        raise Unusable(verdict.message, verdict.hint)

    def _build(self, name: str, path: Path) -> Rule:
        operator = self.operator.get(name, {})
        limits = _byte_limits(operator)
        material = trust.examine(path, limits["module"], self.policy.public_keys)
        trusted, doubts = self._judge(material.evidence)
        sidecar = _manifest(path.with_suffix(".toml"), material.manifest)
        compiled = self._compile(name, material, text=path.suffix == ".wat", limits=limits)
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
            raise Unusable(str(exc), "mend the manifest") from None
        except ValueError as exc:
            raise Unusable(f"input or grant: {exc}", "see the request's fields in the guide to rules") from None
        rule = msgspec.structs.replace(
            _rule(name, compiled, settings, plan, (*doubts, *notes)), trust=trusted, evidence=material.evidence
        )
        for data in (material.module, material.manifest, material.signature):
            if data is not None:
                self.keep(data)
        self.problems += [Problem(str(path), note, warning=True) for note in rule.notes]
        old = self.previous.get(name)
        return old if old == rule and old is not None else rule

    def _compile(self, name: str, material: trust.Material, *, text: bool, limits: Mapping[str, int]) -> Compiled:
        digest = material.evidence.sha256
        known = self.known.get(digest)
        if known and known.facts.memory <= limits["memory"] and known.artifact.exists():
            return known
        key = f"{'text' if text else 'binary'} {digest}"
        remembered = self.old.refused.get(key)
        result = remembered or compile_module(material.module, text=text, cache=self.cache, limits=limits)
        if isinstance(result, Refusal):
            self.refusals[name] = result
            if result.code in _REMEMBERED:
                self.refused[key] = result
            raise Unusable(result.message, result.hint)
        return result

    def _unmatched(self, names: set[str]) -> None:
        for name in sorted(set(self.operator) - names):
            where = f"[rules.{name}]"
            self.problems.append(
                Problem(where, "there is no such module in the plugins folder", "add it", warning=True)
            )
        modules = (name for name in sorted(self.lock or ()) if not name.endswith(".toml"))
        for name in modules:
            if Path(name).stem not in names:
                what = f"is in {trust.LOCK_NAME} and not in the folder"
                self.problems.append(Problem(str(self.folder / name), what, _RELOCK, warning=True))


def _manifest(path: Path, data: bytes | None) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode()) if data is not None else {}
    except (ValueError, RecursionError) as exc:  # TOML's and UTF-8's errors, and an integer without end
        raise Unusable(f"{path.name}: {str(exc)[:200]}", "mend the manifest") from None


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
