"""Requests that a rule should survive: strange, legal JSON. Pure, and always the same.

`shapes` are small documents that no proxy of today sends, and one of tomorrow or a bug might: fields that are absent,
null or of another type, numbers at the edges, texts that fight the reader. `floods` are large requests; they pass the
projection like any other, so a rule meets only what it asked to see.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from wasm_host import abi

#: Texts, each with what it is about. What a JSON writer escapes is escaped; `ESCAPES` are written by hand.
TEXTS: Final = {
    "empty": "",
    "NUL and control characters": "\0\x01\x1f\x7f\u0085",
    "right-to-left and invisible marks": "\u202eabc\u202c\u200f\u200b\u2066\ufeff",
    "emoji, combining marks, astral planes": "👩‍👩‍👧 e\u0301\u0327 \U0010fffd \U000e0041",
    "quotes and backslashes": '\\"\\\\"\\\\\\"',
    "looks like JSON": '","token_count":1,"model":"x"},"config":{"threshold":0}}',
    "looks like a target": "anthropic,claude-sonnet-4-5",
    "lines": "\r\n\t\u2028\u2029",
}
#: String contents as JSON text that is legal, though no careful writer makes it.
ESCAPES: Final = {
    "a lone high surrogate": r"\ud800",
    "a lone low surrogate": r"a\udc00b",
    "surrogates in the wrong order": r"\udc00\ud800",
    "a pair written as escapes": r"\ud83d\ude00",
    "an escaped NUL": r"a\u0000b",
    "every short escape": r"\"\\\/\b\f\n\r\t",
    "letters written as escapes": r"\u006d\u006f\u0064\u0065\u006c",
}
NUMBERS: Final = {
    "zero": "0", "minus zero": "-0", "minus one": "-1", "2^31": "2147483648", "2^32": "4294967296",
    "2^53 - 1": "9007199254740991", "2^63": "9223372036854775808", "2^64": "18446744073709551616",
    "forty digits": "9" * 40, "minus forty digits": "-" + "9" * 40, "a fraction": "1.5", "an exponent": "1e3",
    "a huge exponent": "1e308", "a tiny one": "-1E-300",
}  # fmt: skip
_DEPTH: Final = 200


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)


def shapes() -> Iterator[tuple[str, bytes]]:
    """(name, document) of each small request."""
    example = abi.EXAMPLE
    yield "empty object", b"{}"
    yield "only the version", b'{"abi":1}'
    yield "a later version with unknown fields", _json({"abi": 1, "later": [{}], **example, "truncated": ["x"]})
    yield "every part null", _json(dict.fromkeys(example, None))
    yield "every part an empty object", _json({key: {} for key in example})
    yield "every part an empty list", _json({key: [] for key in example})
    yield "every part a number", _json(dict.fromkeys(example, 7))
    yield "every part a text", _json(dict.fromkeys(example, "x"))
    for name in ("request", "scenario", "session", "client", "targets", "config"):
        yield f"without {name}", _json({key: value for key, value in example.items() if key != name})
    for what, value in (("null", None), ("a text", "7"), ("a number", 7), ("a list", [[]]), ("an object", {"a": {}})):
        yield f"every field of request {what}", _with_request(dict.fromkeys(example["request"], value))
        yield f"every target {what}", _json(example | {"targets": [value, value]})
    yield "keys in reverse order", _json(_reversed(example))
    yield "white space everywhere", msgspec.json.format(_json(example), indent=9)
    yield "every key twice", b'{"config":{},"request":{"model":1,"token_count":"x"},' + _json(example)[1:]
    yield "empty and strange keys", _json(example | {"config": {"": {"": ""}, '"': 1, "\0": 2, "ключ": 3}})
    yield "objects nested deep in config", _with_config(b'{"a":' * _DEPTH + b"1" + b"}" * _DEPTH)
    yield "lists nested deep in config", _with_config(b'{"a":' + b"[" * _DEPTH + b"]" * _DEPTH + b"}")
    yield from _texts()
    yield from _numbers()


def _with_request(fields: Mapping[str, Any]) -> bytes:
    return _json(abi.EXAMPLE | {"request": abi.EXAMPLE["request"] | dict(fields)})


def _reversed(value: Any) -> Any:
    return {key: _reversed(value[key]) for key in reversed(value)} if isinstance(value, dict) else value


def _with_config(config: bytes) -> bytes:
    return _json(abi.EXAMPLE).replace(b'"config":{}', b'"config":' + config)


def _texts() -> Iterator[tuple[str, bytes]]:
    """Every text of a request in turn being each of `TEXTS` and `ESCAPES`."""
    mark = "\ue000"  # stands for the text until the document is written
    request = {"model": mark, "class": mark, "thinking": mark, "tools": [mark], "last_user": mark, "system": mark}
    whole = abi.EXAMPLE | {
        "request": abi.EXAMPLE["request"] | request,
        "scenario": [mark],
        "client": {"key": mark, "agent": mark},
        "targets": [{"name": mark}],
        "config": {mark: mark},
    }
    document = _json(whole)
    written = {f"texts: {name}": _json(text) for name, text in TEXTS.items()}
    written |= {f"texts: {name}": f'"{text}"'.encode() for name, text in ESCAPES.items()}
    for name, text in written.items():
        yield name, document.replace(_json(mark), text)


def _numbers() -> Iterator[tuple[str, bytes]]:
    """Every number of a request in turn being each of `NUMBERS`."""
    mark = "\ue000"
    request = {key: mark for key, value in abi.EXAMPLE["request"].items() if type(value) is int}
    always = dict.fromkeys(("now_ms", "tz_offset_min", "seed"), mark)
    session = {key: mark for key, value in abi.EXAMPLE["session"].items() if type(value) is int}
    target = {"name": "a,b", "context_window": mark, "price": dict.fromkeys(("input", "output", "cache_read"), mark)}
    whole = abi.EXAMPLE | always
    whole |= {"request": abi.EXAMPLE["request"] | request, "session": session, "targets": [target]}
    document = _json(whole)
    for name, number in NUMBERS.items():
        yield f"numbers: {name}", document.replace(_json(mark), number.encode())


def floods(headers: Iterable[str] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, view) of each large request; `headers` are the names of those that the rule sees."""
    for name, unit in (("plain", "lorem ipsum "), ("escaped", '"\\\n'), ("wide", "語👩")):
        for size in (4 * abi.KIB, 64 * abi.KIB, 256 * abi.KIB):
            text = unit * (size // len(unit.encode()))
            content = [{"role": "user", "content": text}]
            texts = {"last_user": text, "system": text, "messages": content}
            request = abi.EXAMPLE["request"] | texts
            yield f"{size // abi.KIB} KiB of {name} text", abi.EXAMPLE | {"request": request}
    tools = [f"mcp__server_{number}__do_something" for number in range(500)]
    yield "500 tools", abi.EXAMPLE | {"request": abi.EXAMPLE["request"] | {"tools": tools}}
    targets = [abi.EXAMPLE["targets"][0] | {"name": f"provider{number},model"} for number in range(200)]
    yield "200 targets", abi.EXAMPLE | {"targets": targets}
    yield "headers of 8 KiB", abi.EXAMPLE | {"headers": dict.fromkeys(headers, "x" * 8 * abi.KIB)}
