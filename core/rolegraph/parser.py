"""One taxonomy file: markdown in which a line that begins with a key is a directive, and all else is prose.

    synonyms:: plan mode, plan this first     comma list, adds up          trigger::  free text for the fallback matcher
    route::    provider, model                several: primary, fallbacks  pinned::   bool
    is_free::  bool, of the route above       action::  template, ditto    priority:: 0-100
    type:::    kg_entry | document | config_document                       example::, not::  a sentence each

`routing::` and `free::` are other spellings of `route::` and `is_free::`. Nothing in a file can fail a load.
"""

import difflib
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import get_args

from core.errors import Problem
from core.exchange import Target
from core.rolegraph.model import DEFAULT_PRIORITY, MAX_PRIORITY, Concept, ConceptType, Line, Route
from core.rolegraph.text import normalise

_HEADING = re.compile(r"#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$")
_DIRECTIVE = re.compile(r"([A-Za-z_]+)(:{2,3})(?!:)(.*)$")
_NEARLY = re.compile(r"\s*(?:[-*+]\s+)?([A-Za-z_]+)\s?:{2,3}(?:\s|$)")
#: A name ends up in a header and a reason code.
_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_BOOLS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass
class _Draft:
    path: str
    title: str = ""
    type: ConceptType | None = None
    #: Pattern to the line that it stands on.
    patterns: dict[str, int] = field(default_factory=dict)
    routes: list[Route] = field(default_factory=list)
    priority: int | None = None
    pinned: bool = False
    triggers: list[Line] = field(default_factory=list)
    examples: list[Line] = field(default_factory=list)
    counter_examples: list[Line] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def warn(self, line: int, message: str, hint: str = "") -> None:
        self.problems.append(Problem(self.path, line, message, hint))


def parse_concept(path: str, text: str) -> tuple[Concept, list[Problem]]:
    """The concept of a file, `path` being relative to the taxonomy's folder, and what could not be understood in it."""
    draft = _Draft(path)
    name = PurePosixPath(path).stem
    if not _NAME.fullmatch(name):
        draft.warn(
            0, f"the name {name!r} cannot be shown as a reason", "name the file with a-z, 0-9, _ and -, at most 64"
        )
    own_name = re.sub(r"[_-]+", " ", name)
    _add_patterns(draft, own_name, 0)
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")), 1):
        _read_line(draft, line, number)
    concept = Concept(
        name=name,
        path=path,
        title=draft.title or own_name,
        type=_type(draft),
        patterns=tuple(Line(*pattern) for pattern in draft.patterns.items()),
        routes=tuple(draft.routes),
        priority=DEFAULT_PRIORITY if draft.priority is None else draft.priority,
        pinned=draft.pinned,
        triggers=tuple(draft.triggers),
        examples=tuple(draft.examples),
        counter_examples=tuple(draft.counter_examples),
    )
    return concept, draft.problems


def _read_line(draft: _Draft, line: str, number: int) -> None:
    directive = _DIRECTIVE.match(line)
    if directive and (key := directive[1].lower() + directive[2]) in _READERS:
        value = directive[3].strip()
        if value:
            _READERS[key](draft, value, number)
        else:
            draft.warn(number, f"{key} has no value", "write one behind it, or remove the line")
    elif not draft.title and (heading := _HEADING.match(line)):
        draft.title = heading[1]
    elif nearly := _NEARLY.match(line):
        _warn_if_meant(draft, nearly[1].lower(), number)


def _warn_if_meant(draft: _Draft, key: str, number: int) -> None:
    if known := _closest(key):
        draft.warn(number, f"{key}:: is read as prose", f"a directive begins its line: write {known} first on the line")


@functools.lru_cache(maxsize=256)
def _closest(key: str) -> str:
    """The directive that was probably meant, or nothing: prose may hold `std::move`."""
    close = difflib.get_close_matches(key, [known.rstrip(":") for known in _READERS], 1, 0.88)
    return next((known for known in _READERS if known.rstrip(":") in close), "")


def _type(draft: _Draft) -> ConceptType:
    fitting: ConceptType = "config_document" if draft.routes else "kg_entry"
    if (draft.type == "config_document") != bool(draft.routes) and draft.type:
        verb = "has a route" if draft.routes else "has no route"
        draft.warn(0, f"type {draft.type}, but the file {verb}", "remove the type::: line, it follows from the routes")
    return draft.type or fitting


def _add_patterns(draft: _Draft, value: str, number: int) -> None:
    for part in value.split(","):
        pattern = normalise(part)
        # That the own name (line 0) is listed too is no mistake.
        if first := draft.patterns.get(pattern):
            draft.warn(number, f"{pattern!r} is already on line {first}", "remove it")
        elif pattern and pattern not in draft.patterns:
            draft.patterns[pattern] = number


def _add_route(draft: _Draft, value: str, number: int) -> None:
    try:
        target = Target.parse(value)
    except ValueError as exc:
        draft.warn(number, f"route:: {exc}", "write it like `route:: openrouter, deepseek/deepseek-r1`")
    else:
        draft.routes.append(Route(str(target), line=number))


def _set_priority(draft: _Draft, value: str, number: int) -> None:
    if not (re.fullmatch(r"[0-9]{1,3}", value) and int(value) <= MAX_PRIORITY):
        draft.warn(number, f"priority {value!r} is not a whole number from 0 to 100", f"{DEFAULT_PRIORITY} is used")
    elif draft.priority is not None:
        draft.warn(number, "a second priority:: is ignored", "keep one of them")
    else:
        draft.priority = int(value)


def _set_type(draft: _Draft, value: str, number: int) -> None:
    for known in get_args(ConceptType):
        if value.lower() == known:
            draft.type = known
            return
    draft.warn(number, f"type {value!r} is not known", "one of " + ", ".join(get_args(ConceptType)))


def _warn_colons(draft: _Draft, _value: str, number: int) -> None:
    draft.warn(number, "type:: is read as prose", "this key has three colons: type:::")


def _bool(draft: _Draft, key: str, value: str, number: int) -> bool:
    if value.lower() not in _BOOLS:
        draft.warn(number, f"{key} {value!r} is neither true nor false", "false is used")
    return _BOOLS.get(value.lower(), False)


def _set_pinned(draft: _Draft, value: str, number: int) -> None:
    draft.pinned = _bool(draft, "pinned::", value, number)


def _set_free(draft: _Draft, value: str, number: int) -> None:
    if draft.routes:
        draft.routes[-1] = replace(draft.routes[-1], is_free=_bool(draft, "is_free::", value, number))
    else:
        draft.warn(number, "is_free:: has no route above it", "put it below its route:: line")


def _set_action(draft: _Draft, value: str, number: int) -> None:
    if draft.routes:
        draft.routes[-1] = replace(draft.routes[-1], action=value)
    else:
        draft.warn(number, "action:: has no route above it", "put it below its route:: line")


_READERS: dict[str, Callable[[_Draft, str, int], None]] = {
    "synonyms::": _add_patterns,
    "route::": _add_route,
    "routing::": _add_route,
    "priority::": _set_priority,
    "trigger::": lambda draft, value, number: draft.triggers.append(Line(value, number)),
    "pinned::": _set_pinned,
    "is_free::": _set_free,
    "free::": _set_free,
    "action::": _set_action,
    "type:::": _set_type,
    "type::": _warn_colons,
    "example::": lambda draft, value, number: draft.examples.append(Line(value, number)),
    "not::": lambda draft, value, number: draft.counter_examples.append(Line(value, number)),
}
