"""`rules check`: what is wrong with modules and their manifests, each with its next step."""

import re
import stat
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from wasm_host import abi, testing, trial
from wasm_host.answer import unknown_keys
from wasm_host.casework import complete, target_names
from wasm_host.preflight import Refusal
from wasm_host.projection import project
from wasm_host.registry import load_notes
from wasm_host.rule import Rule

#: Of a limit, in percent, on the example request: from here on a larger request is in danger.
_CLOSE: Final = 50
#: A text that is written like a target: `provider,model`.
_TARGET: Final = re.compile(r"[a-z0-9_.-]+,[^\s,]\S*")


class Finding(Struct, frozen=True, kw_only=True):
    """Something about a file. `error`: the proxy does not use it, or it cannot do its work."""

    file: str
    rule: str
    code: str
    message: str
    hint: str
    error: bool = False

    def __str__(self) -> str:
        word = "error" if self.error else "warning"
        return f"{word}: {self.file}: rule {self.rule}: {self.message} [{self.code}]\n  next: {self.hint}"


def check(
    path: Path,
    operators: Mapping[str, Mapping[str, Any]],
    *,
    cache: Path,
    targets: frozenset[str] | None = None,
) -> list[Finding]:
    """Findings of one module, or of every module in a folder, under the operator's `[rules.NAME]` tables.

    `targets` are the configured ones; None where no configuration is known.
    """
    if not path.is_dir():
        return list(_check_file(path, operators.get(path.stem, {}), cache, targets))
    files = sorted(file for file in path.iterdir() if file.suffix in abi.SUFFIXES)
    return [
        *_check_folder(path, files),
        *(found for file in files for found in _check_file(file, operators.get(file.stem, {}), cache, targets)),
    ]


def _check_folder(folder: Path, files: list[Path]) -> Iterator[Finding]:
    """What no single file shows."""
    if not files:
        hint = "build the rule first, or name the folder that its module is in"
        yield Finding(file=str(folder), rule="-", code="empty", message="has no .wasm or .wat", hint=hint, error=True)
    if folder.stat().st_mode & stat.S_IWOTH:
        what, hint = "everybody may write into this folder", f"run: chmod o-w {folder}"
        yield Finding(file=str(folder), rule="-", code="folder", message=what, hint=hint, error=True)
    stems = [file.stem for file in files]
    for name in sorted({stem for stem in stems if stems.count(stem) > 1}):
        what, hint = f"{name}.wasm and {name}.wat give one rule twice", "remove one of them"
        yield Finding(file=str(folder), rule=name, code="twice", message=what, hint=hint, error=True)


def _check_file(
    path: Path, operator: Mapping[str, Any], cache: Path, targets: frozenset[str] | None
) -> Iterator[Finding]:
    rule = testing.inspect(path, cache=cache, operator=operator)

    if isinstance(rule, Refusal):
        hint = rule.hint or f"see: terraphim-proxy rules inspect {path}"
        yield Finding(file=str(path), rule=path.stem, code=rule.code, message=rule.message, hint=hint, error=True)
        return
    for code, message, hint in (*_manifest(rule), *_targets(rule, targets), *_example(path, rule, targets)):
        error = code in ("target", "oversize") or code.startswith("example_")
        yield Finding(file=str(path), rule=rule.name, code=code, message=message, hint=hint, error=error)


_Found = tuple[str, str, str]


def _manifest(rule: Rule) -> Iterator[_Found]:
    """What the author asked for in vain or the manifest does not know, and what the operator did not grant."""
    known = load_notes(rule.compiled, rule.plan)
    for note in (note for note in rule.notes if note not in known):
        yield "manifest", note, f"mend the manifest, or let the operator say it in [rules.{rule.name}]"
    for path in rule.plan.ungranted:
        hint = f'let the operator set grant = ["{path}"] in [rules.{rule.name}], or do not declare it'
        yield "grant", f"{path} is declared and not granted: the rule does not see it", hint


def _targets(rule: Rule, targets: frozenset[str] | None) -> Iterator[_Found]:
    """Names that the rule's `routes` or config hold, and no provider has."""
    if targets is None:
        return
    settings = rule.settings
    named = [("routes", name) for name in settings.routes or ()]
    named += [(f"config.{key}", text) for key, text in settings.config.items() if isinstance(text, str)]
    for where, name in named:
        if name in targets or (where != "routes" and not _TARGET.fullmatch(name)):
            continue
        close = get_close_matches(name, targets, 1)
        meant = f"write {close[0]!r}, or " if close else ""
        hint = f"{meant}add the model to its provider in the configuration"
        yield "target", f"{where} names {name!r}, which is no configured target", hint


def _example(path: Path, rule: Rule, targets: frozenset[str] | None) -> Iterator[_Found]:
    """What the rule does with the contract's example request."""
    run = f"terraphim-proxy rules run {path}"
    view = complete({}, {*(rule.settings.routes or ()), *(targets or ())})
    request = project(rule.plan, view, rule.config)
    if request is None:
        what = f"even the example request is over its limit of {rule.plan.limit} bytes"
        yield "oversize", what, "declare less in input, or raise limits.request"
        return
    [reply] = trial.ask([trial.question(rule, request, view)])
    anything = frozenset() if targets is not None else _named(reply.answer)
    outcome = testing.outcome_of(rule, reply, target_names(view) | anything)
    if outcome.code in abi.FAULTS:
        yield f"example_{outcome.code}", f"the example request ends in {outcome.code}: {outcome.message}", f"see: {run}"
        return
    if close := [name for name, used in _used(rule, reply.fuel, len(request)).items() if used > _CLOSE]:
        what = f"the example request takes over {_CLOSE} % of its {' and '.join(close)}"
        yield "close", what, f"see: {run}; a larger request may be too much"
    for key in unknown_keys(reply.answer):
        yield "answer_key", f"the answer has the key {key}, which the contract does not know", "correct or drop it"


def _named(answer: bytes) -> frozenset[str]:
    """The target that an answer names: without a configuration, nobody can say that it is none."""
    try:
        route = msgspec.json.decode(answer or b"{}", type=dict[str, Any]).get("route")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return frozenset()
    return frozenset([route] if isinstance(route, str) else [])


def _used(rule: Rule, fuel: int, size: int) -> dict[str, float]:
    """Percent of the limits, by their names."""
    return {"fuel": 100 * fuel / rule.settings.limits.fuel, "request": 100 * size / rule.plan.limit}
