"""What a rule gets to see: from the whole request to the bytes it is given. Pure.

A `Plan` is made when a rule is loaded, from what it declares (`input`) and what its operator grants. Undeclared and
ungranted fields are absent. Texts are cut, in Unicode scalar values, to what was declared, and further if the request
would be over its limit; what was cut is named in `truncated`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from wasm_host import abi

_PATH: Final = re.compile(r"([a-z0-9_]+(?:\.[a-z0-9_]+)?)(?:\[(?::(\d{1,9})|([A-Za-z0-9-]{1,80}))\])?")
_TEXTS: Final = frozenset(f"request.{key}" for key in abi.TEXT_KEYS)
_ALWAYS: Final = ("now_ms", "tz_offset_min", "seed")
_SESSION: Final = tuple(abi.EXAMPLE["session"])
_CLIENT: Final = tuple(abi.EXAMPLE["client"])
_TARGET: Final = tuple(key for key in abi.EXAMPLE["targets"][0] if key != "name")

_encode = msgspec.json.Encoder().encode


class Plan(Struct, frozen=True, kw_only=True):
    """Which parts of a request a rule gets. `texts` maps a text to its length limit (None: whole).

    `elastic` says that nothing was declared: then lists are cut too, rather than the rule not asked. `ungranted` are
    declared fields that the operator has not granted. `limit` is in bytes.
    """

    fields: tuple[str, ...]
    texts: dict[str, int | None]
    scenario: bool
    session: tuple[str, ...]
    client: tuple[str, ...]
    headers: tuple[str, ...]
    targets: tuple[str, ...] | None
    limit: int
    elastic: bool
    ungranted: tuple[str, ...]

    @property
    def saw_text(self) -> bool:
        """Whether the rule sees what the user wrote: then its free text is not for headers, logs or records."""
        return bool(self.texts or self.headers)

    def wants(self) -> frozenset[str]:
        """Parts that must be computed for this plan.

        `request`, `request.last_user|system|messages`, `scenario`, `session`, `client`, `headers` with
        `headers[name]`, `targets` (names) and `targets.facts` (more than names).
        """
        parts = {f"request.{text}" for text in self.texts} | {f"headers[{name}]" for name in self.headers}
        named = {
            "request": self.fields, "scenario": self.scenario, "session": self.session, "client": self.client,
            "headers": self.headers, "targets": self.targets is not None, "targets.facts": self.targets,
        }  # fmt: skip
        return frozenset(parts | {name for name, wanted in named.items() if wanted})


class _Declared:
    """Collects declared paths."""

    def __init__(self) -> None:
        self.fields: set[str] = set()
        self.session: set[str] = set()
        self.client: set[str] = set()
        self.texts: dict[str, int | None] = {}
        self.headers: list[str] = []
        self.targets: set[str] | None = None
        self.scenario = False


def make_plan(declared: Sequence[str] | None, grant: Sequence[str], limit: int | None) -> Plan:
    """The plan for an `input` list (None: the default) and an operator's grants. ValueError names an unknown path."""
    granted = {path: (length, name) for path, length, name in map(_parse, grant) if path != "headers"}
    headers = {name.lower() for path, _, name in map(_parse, grant) if path == "headers" and name}
    paths = declared
    if paths is None:
        texts = [f"request.last_user[:{abi.LAST_USER_DEFAULT}]"] if "request.last_user" in granted else []
        paths = ["request", "scenario", "targets.name", *texts]
    wanted, ungranted = _Declared(), []
    for text in paths:
        path, length, name = _parse(text)
        if _needs_grant(path) and not _has_grant(path, name, granted, headers):
            ungranted.append(text)
        else:
            _declare(wanted, path, _shorter(length, granted.get(path, (None, ""))[0]), name)
    default = abi.LIMITS["request"].default if declared is None else abi.LIMITS["request"].cap
    return Plan(
        fields=_ordered(wanted.fields, abi.REQUEST_FIELDS),
        texts={key: wanted.texts[key] for key in abi.TEXT_KEYS if key in wanted.texts},
        scenario=wanted.scenario,
        session=_ordered(wanted.session, _SESSION),
        client=_ordered(wanted.client, _CLIENT),
        headers=tuple(sorted(set(wanted.headers))),
        targets=None if wanted.targets is None else _ordered(wanted.targets, _TARGET),
        limit=limit or default,
        elastic=declared is None,
        ungranted=tuple(ungranted),
    )


def _parse(text: str) -> tuple[str, int | None, str]:
    """(path, length, header name) of `request.last_user[:1000]`, `headers[x-team]`, `session`…"""
    match = _PATH.fullmatch(text)
    if not match:
        raise ValueError(f"{text[:80]!r} is no field of the request")
    path, length, name = match.groups()
    cut, named = length is not None, name is not None
    if cut and (path not in _TEXTS or path == "request.messages"):
        raise ValueError(f"{text[:80]!r}: only request.last_user and request.system can be cut with [:N]")
    if named != (path == "headers"):
        raise ValueError(f"{text[:80]!r}: a header is written headers[name], and nothing else is")
    if named and any(secret in name.lower() for secret in abi.SECRET_HEADERS):
        raise ValueError(f"{text[:80]!r}: credentials are never given to a rule")
    if path not in _known_paths():
        raise ValueError(f"{text[:80]!r} is no field of the request")
    return path, int(length) if cut else None, name or ""


def _known_paths() -> frozenset[str]:
    def below(part: str, names: Iterable[str]) -> list[str]:
        return [part, *(f"{part}.{name}" for name in names)]

    request = below("request", [*abi.REQUEST_FIELDS, *abi.TEXT_KEYS])
    others = [*below("session", _SESSION), *below("client", _CLIENT), *below("targets", ["name", *_TARGET])]
    return frozenset([*request, *others, *_ALWAYS, "abi", "config", "scenario", "headers"])


def _needs_grant(path: str) -> bool:
    return path in _TEXTS or path.partition(".")[0] in ("session", "headers")


def _has_grant(path: str, name: str, granted: Mapping[str, Any], headers: set[str]) -> bool:
    if path == "headers":
        return name.lower() in headers
    return path in granted or (path.startswith("session") and "session" in granted)


def _shorter(one: int | None, other: int | None) -> int | None:
    return min((length for length in (one, other) if length is not None), default=None)


def _declare(wanted: _Declared, path: str, length: int | None, name: str) -> None:
    part, _, field = path.partition(".")
    if path in _TEXTS:
        wanted.texts[field] = length
    elif part == "request":
        wanted.fields |= {field} if field else set(abi.REQUEST_FIELDS)
    elif part == "session":
        wanted.session |= {field} if field else set(_SESSION)
    elif part == "client":
        wanted.client |= {field} if field else set(_CLIENT)
    elif part == "headers":
        wanted.headers.append(name.lower())
    elif part == "targets":
        wanted.targets = (wanted.targets or set()) | ({field} - {"name"} if field else set(_TARGET))
    elif part == "scenario":
        wanted.scenario = True


def _ordered(chosen: set[str], order: Sequence[str]) -> tuple[str, ...]:
    return tuple(key for key in order if key in chosen)


def project(plan: Plan, view: Mapping[str, Any], config: bytes = b"{}") -> bytes | None:
    """The request as this rule sees it; None if it cannot be brought under the plan's limit.

    `view` has the shape of `abi.EXAMPLE`, parts that nobody wants may be missing; `request.messages` may be a
    `msgspec.Raw`. `config` is JSON.
    """
    document = _select(plan, view)
    truncated: list[str] = _cut_to_declared(plan, document)
    data = _finish(document, config, truncated)
    if len(data) <= plan.limit:
        return data
    for cut in (_cut_texts, _cut_lists) if plan.elastic else (_cut_texts,):
        cut(document, plan.limit, config, truncated)
        data = _finish(document, config, truncated)
        if len(data) <= plan.limit:
            return data
    return None


def _select(plan: Plan, view: Mapping[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {"abi": abi.VERSION}
    document |= {key: view[key] for key in _ALWAYS if key in view}
    request = view.get("request", {})
    if plan.fields or plan.texts:
        document["request"] = {key: request[key] for key in (*plan.fields, *plan.texts) if key in request}
    if plan.scenario and "scenario" in view:
        document["scenario"] = view["scenario"]
    for part, keys in (("session", plan.session), ("client", plan.client), ("headers", plan.headers)):
        if keys and part in view:
            document[part] = {key: view[part][key] for key in keys if key in view[part]}
    if plan.targets is not None and "targets" in view:
        document["targets"] = _targets(plan.targets, view["targets"])
    return document


def _targets(keys: tuple[str, ...], targets: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if not keys:  # the default, and for many targets much the cheapest
        return [{"name": target["name"]} if "name" in target else {} for target in targets]
    keys = ("name", *keys)
    return [{key: target[key] for key in keys if key in target} for target in targets]


def _cut_to_declared(plan: Plan, document: dict[str, Any]) -> list[str]:
    truncated = []
    for key, length in plan.texts.items():
        text = document["request"].get(key)
        if length is not None and isinstance(text, str) and len(text) > length:
            document["request"][key] = text[:length]
            truncated.append(f"request.{key}")
    return truncated


def _finish(document: Mapping[str, Any], config: bytes, truncated: list[str]) -> bytes:
    tail = b',"truncated":' + _encode(sorted(set(truncated))) if truncated else b""
    return b"".join((_encode(document)[:-1], b',"config":', config, tail, b"}"))


def _excess(document: Mapping[str, Any], limit: int, config: bytes, truncated: list[str]) -> int:
    return len(_finish(document, config, truncated)) - limit


def _cut_texts(document: dict[str, Any], limit: int, config: bytes, truncated: list[str]) -> None:
    """Shorten the longest text first; the conversation, which has no meaning in part, is left out whole."""
    request = document.get("request", {})
    texts = [key for key in abi.TEXT_KEYS if key in request]
    for key in sorted(texts, key=lambda key: -len(_encode(request[key]))):
        if _excess(document, limit, config, truncated) <= 0:
            return
        truncated.append(f"request.{key}")
        over = _excess(document, limit, config, truncated)  # the longer list of names counts too
        if isinstance(request[key], str):
            request[key] = _fit(request[key], len(_encode(request[key])) - over)
        else:
            del request[key]


def _fit(text: str, size: int) -> str:
    """The longest prefix whose JSON form has at most `size` bytes (or the empty string, which has two)."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(_encode(text[:middle])) <= size else (low, middle - 1)
    return text[:low]


def _cut_lists(document: dict[str, Any], limit: int, config: bytes, truncated: list[str]) -> None:
    """Take entries from the end of the tools, then of the targets."""
    for owner, key, name in ((document.get("request", {}), "tools", "request.tools"), (document, "targets", "targets")):
        if not owner.get(key):
            continue
        if _excess(document, limit, config, truncated) <= 0:
            return
        truncated.append(name)
        over = _excess(document, limit, config, truncated)  # the longer list of names counts too
        kept = list(owner[key])
        while kept and over > 0:
            over -= len(_encode(kept.pop())) + 1
        owner[key] = kept
