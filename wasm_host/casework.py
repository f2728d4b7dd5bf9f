"""Cases that an author writes into the manifest, and whether a rule did what they say. Pure.

```toml
[[test]]
name = "long goes long"
request = { token_count = 70000 }                        # fields of `request`, laid over the example
operator = { grant = ["request.last_user"] }             # as if `[rules.NAME]` said so
expect = { route = "mine,long", reason = "over" }
```
`request` may also hold whole parts of the request (`session`, `targets`, `now_ms` …), in the ABI's names; targets may
be written as their names. `config` is what the operator configured.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from wasm_host import abi
from wasm_host.answer import Outcome, clean

_FIELDS: Final = frozenset((*abi.REQUEST_FIELDS, *abi.TEXT_KEYS))
_PARTS: Final = frozenset(abi.REQUEST_KEYS)


class BadCase(ValueError):
    """A case that cannot be run, and why."""


class Expect(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must come of a case. One of the first five; the rest where it matters.

    `deny` is true or the status, `error` true or the code, `outcome` any code of `abi.OUTCOMES`.
    """

    route: str | UnsetType = UNSET
    abstain: bool | UnsetType = UNSET
    deny: bool | int | UnsetType = UNSET
    error: bool | str | UnsetType = UNSET
    outcome: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    score: int | UnsetType = UNSET
    tags: dict[str, str] | UnsetType = UNSET


class Case(Struct, frozen=True, kw_only=True):
    """A request, the operator's table that it is asked under, and what must come of it."""

    name: str
    view: dict[str, Any]
    operator: dict[str, Any]
    expect: Expect


class _Written(Struct, forbid_unknown_fields=True):
    """A case as it stands in the manifest."""

    name: str
    request: dict[str, Any] = {}
    expect: dict[str, Any] = {}
    operator: dict[str, Any] = {}


def read_case(written: Any, number: int) -> Case:
    """The case that the `number`th entry of `test` describes. `BadCase` says what is wrong with it."""
    label = f"test {number}"
    if isinstance(written, Mapping):
        label = f"test {number} ({clean(str(written.get('name', 'without a name')))[:60]})"
        _know(label, written, _Written.__struct_fields__)
    try:
        case = msgspec.convert(written, _Written)
        _know(f"{label}, expect", case.expect, Expect.__struct_fields__)
        expect = msgspec.convert(case.expect, Expect)
    except msgspec.ValidationError as exc:
        raise BadCase(f"{label}: {exc}") from None
    said = [name for name in ("route", "abstain", "deny", "error", "outcome") if getattr(expect, name) is not UNSET]
    if len(said) != 1:
        raise BadCase(
            f"{label}: expect says {' and '.join(said) or 'nothing'}; say one of route, abstain, deny, error, outcome"
        )
    if isinstance(expect.outcome, str) and expect.outcome not in abi.OUTCOMES:
        raise BadCase(f"{label}: outcome {expect.outcome!r} is none of {', '.join(abi.OUTCOMES)}")
    view = _view(label, case.request)
    operator = case.operator
    if "config" in view:
        operator = operator | {"config": view.pop("config")}
    return Case(name=case.name, view=view, operator=operator, expect=expect)


def _know(where: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(str(key), list(known), 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(known))}"
            raise BadCase(f"{where}: unknown key {str(key)[:80]!r}, {hint}")


def _view(label: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the request where they belong, parts as they are."""
    _know(f"{label}, request", request, _FIELDS | _PARTS)
    view = {key: value for key, value in request.items() if key in _PARTS}
    inner = view.get("request", {})
    if isinstance(inner, Mapping):
        _know(f"{label}, request", inner, _FIELDS)
        view["request"] = dict(inner) | {key: value for key, value in request.items() if key in _FIELDS}
    if isinstance(view.get("targets"), list):
        view["targets"] = [{"name": name} if isinstance(name, str) else name for name in view["targets"]]
    if wrong := misshapen(view):
        raise BadCase(f"{label}: {wrong}")
    return view


def misshapen(request: Mapping[str, Any]) -> str:
    """What keeps a request from being shown to a rule at all: a part of another shape than the contract's."""
    for key in ("request", "session", "client", "headers", "config"):
        if not isinstance(request.get(key, {}), Mapping):
            return f"request.{key} is not a table" if key == "request" else f"{key} is not a table"
    if not isinstance(request.get("request", {}).get("tools", []), list):
        return "request.tools is not a list"
    targets = request.get("targets", [])
    if not isinstance(targets, list) or not all(isinstance(target, Mapping) and "name" in target for target in targets):
        return "targets is not a list of tables with a name"
    for key in ("now_ms", "seed"):
        value = request.get(key, 0)
        if type(value) is not int or abs(value) >= 1 << 63:
            return f"{key} is not an integer of 64 bits"
    return ""


def complete(request: Mapping[str, Any], names: Iterable[str] = ()) -> dict[str, Any]:
    """`request`, which is not `misshapen`, with what it lacks taken from the example, field by field in `request`.

    Where it names no targets, `names` stand beside the example's.
    """
    view = abi.EXAMPLE | dict(request)
    view["request"] = abi.EXAMPLE["request"] | dict(request.get("request", {}))
    if "targets" not in request:
        known = target_names(view)
        view["targets"] = [*view["targets"], *({"name": name} for name in sorted(set(names) - known))]
    return view


def target_names(view: Mapping[str, Any]) -> frozenset[str]:
    """The targets that a view names."""
    return frozenset(str(target["name"]) for target in view["targets"])


def differs(expect: Expect, outcome: Outcome) -> str:
    """How the outcome differs from what was expected; empty if it does not."""
    if isinstance(expect.outcome, str):
        code = expect.outcome
    else:
        code = next(name for name in ("route", "abstain", "deny", "error") if getattr(expect, name) is not UNSET)
    wanted: list[tuple[str, Any, Any]] = [
        ("outcome", code, outcome.code),
        ("route", expect.route, outcome.route),
        ("status", _beside(expect.deny), outcome.deny_status),
        ("reason", _beside(expect.error), outcome.reason),
        ("reason", expect.reason, outcome.reason),
        ("score", expect.score, outcome.score),
        ("tags", expect.tags, outcome.tags),
    ]
    return "; ".join(
        f"{what} is {_shown(found)}, expected {_shown(want)}"
        for what, want, found in wanted
        if want is not UNSET and want != found
    )


def _beside(value: Any) -> Any:
    """A status or a code where `true` may stand instead."""
    return UNSET if isinstance(value, bool) else value


def _shown(value: Any) -> str:
    return value or "none" if isinstance(value, str) else msgspec.json.encode(value).decode()
