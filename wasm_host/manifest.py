"""What a rule may do and how it is asked: the author's wishes and the operator's word, merged.

Precedence: the operator's `[rules.NAME]` > `plugins/NAME.toml` > the module's custom section > `rule_v1_describe`. The
first is the operator's config, the others are the author's: only the operator may raise a limit over its default, grant
text, session and header fields, allow `deny`, set `fail = "deny"`, or say how the rule is rolled out. What an author
asks for in vain is noted. An author may hold a rule back (`shadow`, `canary`, `off`): without a word it decides for
everybody.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from wasm_host import abi

PRIORITY_DEFAULT: Final = 50
#: Sub-tables whose keys may also stand at the top: the config writes `priority = 10`, a manifest file `[policy]`.
_TABLES: Final = ("rule", "policy")
_OPERATOR_ONLY: Final = ("grant", "allow_deny", "rollout")

Share = Annotated[float, Meta(gt=0, le=100)]
Priority = Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]
Code = Annotated[str, Meta(pattern=abi.REASON_PATTERN)]


class ManifestError(ValueError):
    """A manifest that cannot be used: which one, and what is wrong with it."""


class Limits(Struct, frozen=True):
    """As in `abi.LIMITS`: bytes, instructions, milliseconds. `request` is None where the projection's default holds."""

    fuel: int = abi.LIMITS["fuel"].default
    timeout_ms: int = abi.LIMITS["timeout_ms"].default
    memory: int = abi.LIMITS["memory"].default
    module: int = abi.LIMITS["module"].default
    request: int | None = None


class Settings(Struct, frozen=True, kw_only=True):
    """The merged manifest of a rule. `input` is None if nothing was declared, `routes` if all targets may be named.

    `tags` are the keys and values that an answer may carry; `config` is given to the rule as it is. `share` is the per
    cent of sessions that a canary decides for; `rollout` is for the host's user, who gives it a meaning.
    """

    title: str = ""
    version: str = ""
    priority: int = PRIORITY_DEFAULT
    mode: str = "enforce"
    share: float | None = None
    fail: str = "next"
    allow_deny: bool = False
    routes: tuple[str, ...] | None = None
    tags: dict[str, tuple[str, ...]] = {}
    input: tuple[str, ...] | None = None
    grant: tuple[str, ...] = ()
    rollout: dict[str, Any] = {}
    limits: Limits = Limits()
    config: dict[str, Any] = {}


class _Layer(Struct, kw_only=True):
    """One source's keys. Unknown ones are noted, so that a manifest for a later version still loads."""

    name: str | UnsetType = UNSET
    version: str | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    mode: Literal["enforce", "shadow", "canary", "off"] | UnsetType = UNSET
    share: Share | UnsetType = UNSET
    fail: Literal["next", "deny"] | UnsetType = UNSET
    allow_deny: bool | UnsetType = UNSET
    routes: tuple[str, ...] | UnsetType = UNSET
    tags: dict[Code, tuple[Code, ...]] | UnsetType = UNSET
    input: tuple[str, ...] | UnsetType = UNSET
    grant: tuple[str, ...] | UnsetType = UNSET
    rollout: dict[str, Any] | UnsetType = UNSET
    limits: dict[str, Annotated[int, Meta(gt=0)]] | UnsetType = UNSET
    config: dict[str, Any] | UnsetType = UNSET


#: Keys of the contract that are not settings.
_IGNORED: Final = frozenset({"test", "description", "author", "license", "homepage", *_TABLES})


def merge(
    operator: Mapping[str, Any], author: Sequence[tuple[str, Mapping[str, Any]]]
) -> tuple[Settings, tuple[str, ...]]:
    """Settings and notes (what was asked for in vain, or not understood). `ManifestError` for wrong types and values.

    `author` lists (where it stands, content), the most important first; `operator` is the table `[rules.NAME]`.
    """
    notes: list[str] = []
    merged: dict[str, Any] = {"limits": {}, "config": {}}
    for where, content in reversed(author):
        layer = _read(where, content, notes)
        notes += _drop_privileges(where, layer)
        _lay_over(merged, layer)
    layer = _read("the operator's config", operator, notes)
    _check_caps(layer)
    _lay_over(merged, layer)
    merged["limits"] = Limits(**merged["limits"])
    merged["title"] = merged.pop("name", "")
    return Settings(**merged), tuple(notes)


def _read(where: str, content: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    flat = {key: value for key, value in content.items() if key not in _TABLES}
    for table in _TABLES:
        inner = content.get(table, {})
        if not isinstance(inner, Mapping):
            raise ManifestError(f"{where}: `{table}` is not a table")
        flat |= inner
    known = set(_Layer.__struct_fields__)
    notes += [_unknown(where, key, known) for key in flat if key not in known | _IGNORED]
    try:
        layer = msgspec.convert({key: value for key, value in flat.items() if key in known}, _Layer)
    except msgspec.ValidationError as exc:
        raise ManifestError(f"{where}: {exc}") from None
    given = {key: value for key in _Layer.__struct_fields__ if (value := getattr(layer, key)) is not UNSET}
    _check_share(where, given)
    notes += [
        _unknown(f"{where}, limits", key, set(abi.LIMITS)) for key in given.get("limits", {}) if key not in abi.LIMITS
    ]
    if "limits" in given:
        given["limits"] = {key: value for key, value in given["limits"].items() if key in abi.LIMITS}
    return given


def _check_share(where: str, given: dict[str, Any]) -> None:
    """Mode and share are one word, said in one place: nobody's share is taken for somebody else's canary."""
    canary = given.get("mode") == "canary"
    if canary and "share" not in given:
        raise ManifestError(f'{where}: mode = "canary" needs share, the per cent of sessions that the rule decides for')
    if "share" in given and not canary:
        raise ManifestError(f'{where}: share counts only beside mode = "canary"')
    if "mode" in given:
        given.setdefault("share", None)


def _unknown(where: str, key: str, known: set[str]) -> str:
    close = difflib.get_close_matches(key, known, 1)
    return f"{where}: unknown key {key[:80]!r}" + (f", did you mean {close[0]!r}?" if close else "")


def _drop_privileges(where: str, layer: dict[str, Any]) -> Iterator[str]:
    """Take from an author's layer what is the operator's to give, and say so."""
    for key in _OPERATOR_ONLY:
        if layer.pop(key, None):
            yield f"{where}: {key} counts only in the operator's config"
    if layer.get("fail") == "deny":
        del layer["fail"]
        yield f'{where}: fail = "deny" counts only in the operator\'s config'
    for key, value in layer.get("limits", {}).items():
        # A larger request harms nobody: what may be in it is granted elsewhere.
        most = abi.LIMITS[key].cap if key == "request" else abi.LIMITS[key].default
        if value > most:
            layer["limits"][key] = most
            yield f"{where}: limits.{key} = {value} is over {most}; only the operator's config may raise it"


def _check_caps(layer: Mapping[str, Any]) -> None:
    for key, value in layer.get("limits", {}).items():
        if value > abi.LIMITS[key].cap:
            raise ManifestError(
                f"the operator's config: limits.{key} = {value} is over the cap of {abi.LIMITS[key].cap}"
            )


def _lay_over(merged: dict[str, Any], layer: dict[str, Any]) -> None:
    """Tables `limits` and `config` are merged key by key, everything else is replaced."""
    for key, value in layer.items():
        merged[key] = merged[key] | value if key in ("limits", "config") else value
