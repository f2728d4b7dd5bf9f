"""What becomes of a log line between who says it and the descriptor. Pure.

The first half, `front`, runs where a line is said: it stamps the fields and encodes them, so that they are as they are
now and what waits is counted in bytes. The second half, a `Finish`, runs in the writer's thread: structlog's processors
cut what is long, take secrets out, and render with escapes for what could move a terminal's cursor or fake a line.
Nothing is written past it.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from core.redaction import Redactor


@contextmanager
def _without(package: str) -> Iterator[None]:
    """In the block it seems not to be installed, unless it is loaded already."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # what an import then finds: ModuleNotFoundError
    try:
        yield
    finally:
        del sys.modules[package]


with _without("rich"):  # a tenth of the proxy's start, for tracebacks, of which none is drawn here
    from structlog import dev

Fields = MutableMapping[str, Any]
Processor = Callable[[Any, str, Any], Any]

#: Longer texts are cut, in characters; longer lists and tables, in items; what is nested deeper is left out.
LONGEST: Final = 2000
MOST: Final = 100
DEEPEST: Final = 32
#: A line that is longer even so keeps only what says which one it was.
LONGEST_LINE: Final = 128 * 1024
_ESSENTIAL: Final = ("time", "level", "event", "request_id", "trace_id")
#: Of a field with such a name structlog makes further lines.
_TRACEBACKS: Final = frozenset({"stack", "exception", "exc_info"})
LEVELS: Final = ("debug", "info", "warning", "error", "critical")


class Terminal(NamedTuple):
    """What the log's reader is: a terminal, and one that shows colours."""

    here: bool = False
    colours: bool = False


def terminal_of(env: Mapping[str, str], *, here: bool) -> Terminal:
    """With `NO_COLOR` (any value but an empty one, no-color.org) or a dumb terminal, nothing is coloured."""
    return Terminal(here, here and not env.get("NO_COLOR") and env.get("TERM", "dumb") != "dumb")


class Front:
    """The first half of the chain. `now` gives the time that a line carries."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def line(self, fields: Mapping[str, object], level: str) -> bytes:
        """The fields as they are now, encoded."""
        stamped = {"time": self._now(), "level": level, **fields}
        try:
            return _ENCODER.encode(stamped)
        except Exception:  # noqa: BLE001  # whatever a value is, the line is not lost
            return msgspec.json.encode(_plain(stamped))


_ENCODER: Final = msgspec.json.Encoder(enc_hook=str)


def _plain(value: Any, around: tuple[int, ...] = ()) -> Any:
    """Any value as one that can be encoded. `around` are the tables and lists that it stands in."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if value is None or isinstance(value, bool | float | datetime):
        return value
    if isinstance(value, dict | list | tuple | set | frozenset):
        if id(value) in around or len(around) >= DEEPEST:
            return "…"
        inside = (*around, id(value))
        if isinstance(value, dict):
            return {_plain(str(name)): _plain(inner, inside) for name, inner in value.items()}
        return [_plain(inner, inside) for inner in value]
    try:
        return _plain(str(value))
    except Exception:  # noqa: BLE001  # its own __str__ failed, or a number is too long for one
        return f"<{type(value).__name__}>"


class Finish:
    """The second half of the chain, for one format and what is secret now."""

    def __init__(self, known: tuple[Redactor, ...] = (), *, console: bool = False, colours: bool = False) -> None:
        self._known = known
        self._redaction: Processor = Redaction(known)
        self._render = _console(colours=colours) if console else _json
        self._as_encoded = not console

    def __call__(self, line: bytes) -> bytes:
        """A line of `Front` as it is written, with its end."""
        text = line.decode()
        steps: list[Processor] = []
        if _may_be_long(line):
            steps.append(_cut)
        if not all(known.clears(text) for known in self._known):
            steps.append(self._redaction)
        if not steps and self._as_encoded and text.isprintable():
            return line + b"\n"
        said: Any = msgspec.json.decode(line)
        for processor in (*steps, self._render):
            said = processor(None, "", said)
        return f"{said}\n".encode()

    def together(self, lines: Sequence[bytes]) -> bytes:
        """The same of many: they are looked at together, and one by one only if one of them may have to change."""
        if self._as_encoded and not any(map(_may_be_long, lines)):
            text = b" ".join(lines).decode()
            if text.isprintable() and all(known.clears(text) for known in self._known):
                return b"\n".join((*lines, b""))
        return b"".join(map(self, lines))


def _may_be_long(line: bytes) -> bool:
    """Whether anything in this JSON may be longer or deeper than it is written. Quick."""
    return len(line) > LONGEST or line.count(b",") >= MOST or line.count(b"[") + line.count(b"{") > DEEPEST


class Redaction:
    """Takes every known secret out of every text and name of a line."""

    def __init__(self, known: tuple[Redactor, ...]) -> None:
        self._known = known

    def __call__(self, _: Any, __: str, fields: Fields) -> Any:
        return _mapped(fields, self._text)

    def _text(self, text: str) -> str:
        for known in self._known:
            text = known.text(text)
        return text


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """The same with each text and each name changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(name): _mapped(inner, change) for name, inner in value.items()}
    if isinstance(value, list):
        return [_mapped(inner, change) for inner in value]
    return value


def _cut(_: Any, __: str, fields: Fields) -> Fields:
    """What is long, cut with a mark that says how much is gone."""
    cut: Fields = _shorter(fields)
    size = len(msgspec.json.encode(cut))
    if size > LONGEST_LINE:
        cut = {name: cut[name] for name in _ESSENTIAL if name in cut} | {"cut": f"a line of {size} bytes"}
    return cut


def _shorter(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return value if len(value) <= LONGEST else f"{value[:LONGEST]}…[+{len(value) - LONGEST} characters]"
    if not isinstance(value, dict | list):
        return value
    if depth >= DEEPEST:
        return "…"
    more = len(value) - MOST
    if isinstance(value, dict):
        items = list(value.items())[:MOST] + ([("…", f"+{more}")] if more > 0 else [])
        return {_shorter(name): _shorter(inner, depth + 1) for name, inner in items}
    shown = [_shorter(inner, depth + 1) for inner in value[:MOST]]
    return [*shown, f"…[+{more}]"] if more > 0 else shown


def _json(_: Any, __: str, fields: Fields) -> str:
    return _visible(msgspec.json.encode(fields).decode())


def _visible(text: str) -> str:
    """JSON, or a part of it, with escapes for what is no visible character: also for those above U+007F that move the
    cursor or turn the direction of writing, and for U+2028, which ends a line for some.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def _console(*, colours: bool) -> Processor:
    """For people: time, level and event, then the fields as `name=value`."""
    styles = dev.ConsoleRenderer.get_default_column_styles(colours)
    known = dev.ConsoleRenderer.get_default_level_styles(colours)
    levels = {level: known[level] for level in LEVELS}

    def column(style: str, shown: Callable[[object], str], name: str | None = None, width: int = 0) -> Any:
        return dev.KeyValueColumnFormatter(name, style, styles.reset, shown, width)

    renderer = dev.ConsoleRenderer(
        columns=[
            dev.Column("time", column(styles.timestamp, _clock)),
            dev.Column("level", dev.LogLevelColumnFormatter(levels, styles.reset)),
            dev.Column("event", column(styles.bright, _value, None, 8)),
            dev.Column("", column(styles.kv_value, _value, styles.kv_key)),
        ],
        sort_keys=False,
    )

    def rendered(logger: Any, method: str, fields: Fields) -> Any:
        level = _value(fields.pop("level", ""))
        named = {_value(name) if name not in _TRACEBACKS else f"{name}_": value for name, value in fields.items()}
        return renderer(logger, method, named | {"level": level})

    return rendered


def _clock(time: object) -> str:
    """UTC, to the millisecond, of an ISO time."""
    return _value(str(time)[11:23])


def _value(value: object) -> str:
    """A value that cannot be taken for two, nor for another field."""
    if isinstance(value, str) and value.isprintable() and value and not set(value) & set(' "\\=[]{}'):
        return value
    return _visible(msgspec.json.encode(value).decode())
