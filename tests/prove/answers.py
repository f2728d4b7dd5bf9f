"""Promise: whatever a rule answers, a request goes to a configured target.

Answers are made from legal ones by changes that parsers and comparisons have stumbled over. Each is judged; of those
that pass, a part also goes the whole way, from a rule that says what it is told to the headers of the client's answer
(a few illegal ones, and the rule's breaker would open). What a legal answer means is decided here a second time, with
another JSON reader.
"""

import json
import random
from collections import Counter
from collections.abc import Callable
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any, Final

from prove import guests
from prove.scene import DEFAULT, TARGETS, Scene, body, scene
from prove.section import Section, tally
from wasm_host.answer import Illegal, judge
from wasm_host.manifest import Settings

#: Names that are nearly one of the targets.
_NEARLY: Final = (
    "a,B", "a, b", " a,b", "a,b ", "a,b\u0000", "a,b\u200b", "\u0430,b", "a,b,", "a,,b", "ab", "a", ",b", "", "a,f",
    "z,b", "a,b\n", "a\uff0cb", "a,b/../d", "a%2Cb", "c,e", "default", "rule:echo",
)  # fmt: skip
_PARTS: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1.5, 10**400, "", "x", [], {}, ["a,b"], {"a,b": "a,b"}, "a,b", "c,d", "a,e", *_NEARLY,
)  # fmt: skip
_KEYS: Final = ("route", "abstain", "deny", "error", "reason", "score", "tags", "Route", "route ", "routes", "", "a,b")
_SETTINGS: Final = Settings(tags={"team": ("a",)})
_OPERATOR: Final = """[rules.echo]
grant = ["request.last_user"]
input = ["request.last_user"]
tags = { team = ["a"] }
"""
_LEGAL: Final = b'{"abstain":true}'
#: The most that is sent the whole way: two characters of a text for each byte of an answer.
_SENT_MAX: Final = 8_000


def section(folder: Path, count: int, over_http: int) -> Section:
    """`count` answers to judge, `over_http` of them the whole way."""
    found = Section(f"{count} answers")
    verdicts: Counter[str] = Counter()
    for number in range(count):
        code, problem = _judged(answer(number))
        verdicts[code] += 1
        if problem:
            found.findings.append(f"answer {number}: {problem}: {answer(number)[:200]!r}")
    found.counts["judged"] = tally(verdicts)
    with scene(folder, config=_OPERATOR, rules=[("echo.wat", guests.echoing())]) as running:
        routed: Counter[str] = Counter()
        # An answer without a byte is none: a rule abstains with 0, and a pointer to nothing is a fault.
        made = (answer(number) for number in range(count))
        legal = (data for data in made if data and _judged(data)[0] in ("route", "abstain"))
        for data in islice(chain(legal, cycle([_LEGAL])), over_http):
            routed[_sent(running, data, found.findings)] += 1
        found.counts["of which sent"] = tally(routed)
        found.findings += running.whole()
    if not {"refused", "abstain", *TARGETS} <= set(verdicts) | set(routed):
        found.findings.append(f"too little came of it to show anything: {verdicts}, {routed}")
    return found


def answer(number: int) -> bytes:
    """An answer; a number always gives the same one."""
    rng = random.Random(number)  # noqa: S311 - reproducible on purpose
    text = rng.choice(_FORMS)(rng)
    for _ in range(rng.choice((0, 0, 0, 0, 0, 1, 3))):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice((b"", rng.randbytes(1), b'"', b"\\", b"}", b",")) + text[at + rng.randrange(3) :]
    return text[:_SENT_MAX]


def _legal(rng: random.Random) -> bytes:
    said: dict[str, Any] = rng.choice(
        ({"route": rng.choice(sorted(TARGETS))}, {"abstain": True}, {"error": {"code": "c"}})
    )
    extra: tuple[dict[str, Any], ...] = ({}, {"reason": "r"}, {"score": 5}, {"tags": {"team": "a"}}, {"more": [1]})
    return _text(rng, said | rng.choice(extra))


def _near(rng: random.Random) -> bytes:
    return _text(rng, {"route": rng.choice(_NEARLY)})


def _any(rng: random.Random) -> bytes:
    return _text(rng, {rng.choice(_KEYS): rng.choice(_PARTS) for _ in range(rng.randrange(5))})


def _doubled(rng: random.Random) -> bytes:
    """One key twice, for readers that disagree on which one counts."""
    pairs = [(rng.choice(("route", "reason", "abstain")), rng.choice(_PARTS)) for _ in range(3)]
    return ("{" + ",".join(f"{json.dumps(key)}:{json.dumps(value)}" for key, value in pairs) + "}").encode()


def _nested(rng: random.Random) -> bytes:
    depth = rng.choice((1, 31, 32, 33, 1_000))
    return b'{"route":"a,b","x":' + b"[" * depth + b"]" * depth + b"}"


def _bytes(rng: random.Random) -> bytes:
    return rng.randbytes(rng.randrange(40))


def _text(rng: random.Random, value: Any) -> bytes:
    """As JSON, with or without spaces, escapes, and what comes before and after."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, None, 1)))
    if rng.random() < 0.2:
        text = text.replace("a,b", "\\u0061,b").replace("route", "\\u0072oute")
    return rng.choice(("", "", " ", "\ufeff", "\n")).encode() + text.encode(errors="surrogatepass")


_FORMS: Final[tuple[Callable[[random.Random], bytes], ...]] = (
    _legal,
    _legal,
    _legal,
    _legal,
    _near,
    _any,
    _doubled,
    _nested,
    _bytes,
)


def _judged(data: bytes) -> tuple[str, str]:
    """The outcome's code, and what is wrong with it."""
    try:
        fields = judge(data, _SETTINGS, TARGETS)
    except Illegal:
        return "refused", ""
    if fields["code"] != "route":
        return str(fields["code"]), ""
    return "route", "" if meant(data) == fields["route"] in TARGETS else f"leads to {fields['route']!r}"


def meant(data: bytes) -> str:
    """The target that an answer names, read by another reader; empty if it names none of ours."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    route = value.get("route") if isinstance(value, dict) else None
    return route if isinstance(route, str) and route in TARGETS else ""


def _sent(running: Scene, data: bytes, findings: list[str]) -> str:
    """The target that a client got when a rule gave this answer."""
    headers, _ = running.head_and_body(body(text=data.hex()))
    target = f"{headers['x-terraphim-provider']},{headers['x-terraphim-model']}"
    expected = meant(data) if _judged(data)[0] == "route" else DEFAULT
    if target != expected or target not in TARGETS:
        findings.append(f"sent to {target!r}, not to {expected!r}, by {data[:200]!r}")
    return target
