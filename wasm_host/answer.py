"""What a rule may say, and what came of asking it. Pure.

An answer is data from a stranger: its size is limited before it comes here, its depth before it is decoded, and only
what the contract names is looked at. Unknown keys are ignored, for versions to come.
"""

import difflib
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from wasm_host import abi
from wasm_host.manifest import Settings

_REASON: Final = re.compile(abi.REASON_PATTERN)
_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of asking one rule. `code` is one of `abi.OUTCOMES`.

    `message` says what was wrong; `fuel` is in instructions, `pages` is memory in 64 KiB, `micros` wall-clock
    microseconds. If `saw_text`, then
    `reason`, `deny_message`, `message` and `log` may carry the user's words: keep them out of headers, logs, records.
    A `shadow` rule never decides.
    """

    rule: str
    code: str
    route: str = ""
    reason: str = ""
    score: int | None = None
    tags: dict[str, str] = {}
    deny_status: int = 0
    deny_message: str = ""
    message: str = ""
    fuel: int = 0
    pages: int = 0
    micros: int = 0
    log: str = ""
    saw_text: bool = False
    shadow: bool = False
    #: SHA-256 of the module, and the first 16 hex digits of that of what it was shown; empty if it was shown nothing.
    module: str = ""
    seen: str = ""

    @property
    def decides(self) -> bool:
        """Whether this ends the asking: a route, or a denial (also that of a failed rule with `fail = "deny"`)."""
        return not self.shadow and (self.code == "route" or self.deny_status != 0)


class Illegal(ValueError):
    """An answer that breaks the contract, and how."""


class _Deny(Struct):
    status: int
    message: str = ""


class _Error(Struct):
    code: str = ""
    message: str = ""


class _Answer(Struct):
    route: str | UnsetType = UNSET
    abstain: bool | UnsetType = UNSET
    deny: _Deny | UnsetType = UNSET
    error: _Error | UnsetType = UNSET
    reason: str = ""
    score: int | None = None
    tags: dict[str, str] = {}


#: What most answers of most rules are.
ABSTAINS: Final = b'{"abstain":true}'
_decode = msgspec.json.Decoder(_Answer).decode


def judge(data: bytes, settings: Settings, targets: frozenset[str]) -> dict[str, Any]:
    """Fields of an `Outcome` for an answer's bytes (empty: abstains). `Illegal` says what breaks the contract."""
    if not data or data == ABSTAINS:
        return {"code": "abstain"}
    if _depth(data) > abi.ANSWER_DEPTH:
        raise Illegal(f"the answer is nested deeper than {abi.ANSWER_DEPTH}")
    try:
        data.decode()
        answer = _decode(data)
    except UnicodeDecodeError:
        raise Illegal("the answer is not UTF-8") from None
    except msgspec.ValidationError as exc:
        raise Illegal(f"the answer has a wrong shape: {exc}") from None
    except (msgspec.DecodeError, RecursionError):
        raise Illegal("the answer is not JSON") from None
    return _choose(answer, settings, targets)


def unknown_keys(data: bytes) -> list[str]:
    """Keys of a legal answer that the contract does not know, with what was probably meant: for the rule's author."""
    answer = msgspec.json.decode(data or b"{}", type=dict[str, Any])
    shapes: tuple[tuple[str, Any, type[Struct]], ...] = (
        ("", answer, _Answer), ("deny.", answer.get("deny"), _Deny), ("error.", answer.get("error"), _Error),
    )  # fmt: skip
    return [
        f"{where}{clean(key)[:80]}" + (f" (did you mean {where}{close[0]}?)" if close else "")
        for where, given, shape in shapes
        if isinstance(given, dict)
        for key in given
        if key not in shape.__struct_fields__
        for close in [difflib.get_close_matches(key, shape.__struct_fields__, 1)]
    ]


def _choose(answer: _Answer, settings: Settings, targets: frozenset[str]) -> dict[str, Any]:
    routes, denies, fails = answer.route is not UNSET, answer.deny is not UNSET, answer.error is not UNSET
    abstains = answer.abstain is True
    if routes + abstains + denies + fails != 1:
        words = {"route": routes, "abstain": abstains, "deny": denies, "error": fails}
        said = [word for word, whether in words.items() if whether]
        what = " and ".join(said) or "none of them"
        raise Illegal(f"the answer says {what}; it must say one of route, abstain, deny, error")
    if isinstance(answer.error, _Error):
        return _error(answer.error)
    fields = _common(answer, settings)
    if isinstance(answer.route, str):
        fields["code"], fields["route"] = "route", _route(answer.route, settings, targets)
    elif isinstance(answer.deny, _Deny):
        fields |= _deny(answer.deny, settings)
    else:
        fields["code"] = "abstain"
    return fields


def _route(route: str, settings: Settings, targets: frozenset[str]) -> str:
    if route not in targets:
        raise Illegal(f"route {clean(route)[:120]!r} is not a configured target")
    if settings.routes is not None and route not in settings.routes:
        raise Illegal(f"route {route!r} is not one of the manifest's routes")
    return route


def _deny(deny: _Deny, settings: Settings) -> dict[str, Any]:
    if not settings.allow_deny:
        raise Illegal("deny needs allow_deny = true in the operator's config")
    if deny.status not in abi.DENY_STATUSES:
        raise Illegal(f"deny with status {deny.status}; it must be one of {', '.join(map(str, abi.DENY_STATUSES))}")
    if len(deny.message) > abi.MESSAGE:
        raise Illegal(f"deny with a message of {len(deny.message)} characters, the limit is {abi.MESSAGE}")
    return {"code": "deny", "deny_status": deny.status, "deny_message": clean(deny.message)}


def _error(error: _Error) -> dict[str, Any]:
    code = error.code if _REASON.fullmatch(error.code) else ""
    return {"code": "error", "reason": code, "message": clean(error.message)[: abi.MESSAGE]}


def _common(answer: _Answer, settings: Settings) -> dict[str, Any]:
    """Reason, score and tags, which any answer but an error may carry."""
    if answer.reason and not _REASON.fullmatch(answer.reason):
        raise Illegal(f"the reason does not match {abi.REASON_PATTERN}")
    if answer.score is not None and not 0 <= answer.score <= abi.SCORE_MAX:
        raise Illegal(f"score {answer.score} is not between 0 and {abi.SCORE_MAX}")
    _check_tags(answer.tags, settings.tags)
    return {"reason": answer.reason, "score": answer.score, "tags": answer.tags}


def _check_tags(tags: Mapping[str, str], listed: Mapping[str, tuple[str, ...]]) -> None:
    for key, value in tags.items():
        if value not in listed.get(key, ()):
            raise Illegal("a tag is not one of the keys and values that the manifest lists under `tags`")


def _depth(data: bytes) -> int:
    """How deep brackets nest outside strings, at most; exact only if it matters."""
    if data.count(b"[") + data.count(b"{") <= abi.ANSWER_DEPTH:
        return 0
    depth = deepest = 0
    for byte in _STRINGS.sub(b"", data):
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def clean(text: str) -> str:
    """`text` without control and format characters, so that it cannot forge lines or hide."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)
