import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.log_chain import DEEPEST, LONGEST, LONGEST_LINE, MOST, Finish, Front, terminal_of
from core.redaction import RUN, Redactor

NOW = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
SECRET = "sk-AbCdEfGhIjKlMnOpQrSt/0123+xyz"  # noqa: S105  # it is of no use
AWKWARD = 'a"quoted\\secret\\of"some-length'
KNOWN = (Redactor([SECRET, "short-one"]), Redactor([AWKWARD]))
FRONT = Front(lambda: NOW)
JSON, CONSOLE = Finish(KNOWN), Finish(KNOWN, console=True)
#: Lines that need no change are written as they were encoded: not with a secret that JSON escapes.
QUICK = Finish((Redactor([SECRET, "short-one"]),))
ALL_QUOTES = 'a"b"c"d"e"f"g"h'


class Failing:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def cyclic() -> dict[str, Any]:
    table: dict[str, Any] = {}
    table["itself"], table["again"] = table, [table]
    return table


def nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


#: What could be in a field.
TEXTS = st.text(st.characters(codec=None), max_size=60) | st.sampled_from(
    [SECRET, SECRET.upper(), AWKWARD, f"x{SECRET[3:]}", "short-one", "\x1b[31m", "\u202e", "\u2028", "\x85", "\ud800"]
)
SCALARS = TEXTS | st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=9) | st.just(Failing())
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)
FIELDS = st.dictionaries(TEXTS, VALUES, max_size=6)


def written(fields: dict[str, Any], finish: Finish, level: str = "info") -> str:
    return finish(FRONT.line(fields, level)).decode()


def holds_no_secret(text: str) -> bool:
    lowered = text.lower()
    runs = [SECRET[at : at + RUN].lower() for at in range(len(SECRET) - RUN + 1)]
    runs += [json.dumps(AWKWARD[at : at + RUN])[1:-1] for at in range(len(AWKWARD) - RUN + 1)]
    return not any(run in lowered for run in [*runs, "short-one"])


@given(FIELDS)
def test_any_fields_are_one_line_of_json_that_hides_and_moves_nothing(fields: dict[str, Any]) -> None:
    line = written(fields, JSON)
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    told = msgspec.json.decode(line)
    assert holds_no_secret(line)
    assert all(holds_no_secret(text) for text in texts(told))


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *texts(list(value.values()))]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


@given(FIELDS)
def test_the_quick_way_hides_and_moves_nothing_either(fields: dict[str, Any]) -> None:
    line = written(fields, QUICK)
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    runs = [SECRET[at : at + RUN].lower() for at in range(len(SECRET) - RUN + 1)]
    assert not [run for run in (*runs, "short-one") if run in line.lower()]


def test_a_secret_that_json_writes_otherwise_is_seen() -> None:
    line = written({"value": f"x{ALL_QUOTES}y"}, Finish((Redactor([ALL_QUOTES]),)))
    assert msgspec.json.decode(line)["value"] == "x[redacted]y"


@given(FIELDS)
def test_any_fields_are_one_line_for_people_too(fields: dict[str, Any]) -> None:
    line = written(fields, CONSOLE)
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert holds_no_secret(line)


@pytest.mark.parametrize("finish", [JSON, QUICK, CONSOLE])
@given(st.lists(FIELDS, max_size=4))
def test_lines_that_are_finished_together_are_as_if_each_were_alone(finish: Finish, said: list[dict[str, Any]]) -> None:
    lines = [FRONT.line({"event": "plain"}, "info"), *(FRONT.line(fields, "info") for fields in said)]
    assert finish.together(lines) == b"".join(map(finish, lines))


def test_a_plain_line_is_what_was_said() -> None:
    fields = {"event": "request", "status": 200, "usage": {"input": 1}, "model": "modèle-三"}
    line = written(fields, JSON)
    assert msgspec.json.decode(line) == {"time": "2026-01-02T03:04:05.678900Z", "level": "info", **fields}
    assert list(msgspec.json.decode(line))[:3] == ["time", "level", "event"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (f"no model {SECRET!r}", "no model '[redacted]'"),
        (f"…{SECRET[5:25]}…", "…[redacted]…"),
        (AWKWARD, "[redacted]"),
        ({SECRET: [SECRET]}, {"[redacted]": ["[redacted]"]}),
        ("half a pair: \ud800", "half a pair: \\ud800"),
        (Failing(), "<Failing>"),
        ([2**99, Failing()], [str(2**99), "<Failing>"]),
        ({"set"}, ["set"]),
        (ValueError("as text"), "as text"),
        (float("inf"), None),
        ("x" * LONGEST, "x" * LONGEST),
        ("x" * (LONGEST + 7), "x" * LONGEST + "…[+7 characters]"),
        ([1] * (MOST + 3), [1] * MOST + ["…[+3]"]),
        (nested("deep", DEEPEST - 1), nested("deep", DEEPEST - 1)),
        (nested("deep", DEEPEST), nested("…", DEEPEST - 1)),
        (nested("deep", 700), nested("…", DEEPEST - 1)),
        (nested("deep", 5000), nested("…", DEEPEST - 1)),
    ],
)
def test_what_a_value_becomes(value: Any, told: Any) -> None:
    assert msgspec.json.decode(written({"value": value}, JSON))["value"] == told


def test_what_contains_itself_ends() -> None:
    assert msgspec.json.decode(written({"value": cyclic()}, JSON))["value"] == {"itself": "…", "again": ["…"]}


def test_a_table_with_too_many_names_says_how_many_are_left_out() -> None:
    told = msgspec.json.decode(written({"value": {f"n{number}": 1 for number in range(MOST + 2)}}, JSON))["value"]
    assert (len(told), told["…"]) == (MOST + 1, "+2")


def test_a_line_that_stays_long_says_only_which_one_it_was() -> None:
    fields = {"event": "request", "request_id": "req_1", "value": [["x" * LONGEST] * MOST] * 2}
    told = msgspec.json.decode(written(fields, JSON))
    assert told.keys() == {"time", "level", "event", "request_id", "cut"}
    assert int("".join(filter(str.isdigit, told["cut"]))) > LONGEST_LINE


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("gpt-5", "gpt-5"),
        ("one,main", "one,main"),
        ("", '""'),
        ("a b", '"a b"'),
        ("x status=200", '"x status=200"'),
        ('"', r'"\""'),
        ("a\nb", r'"a\nb"'),
        ("\x1b[31mred", r'"\u001b[31mred"'),
        ("\x9b31m", r'"\u009b31m"'),
        ("\u202eabc", r'"\u202eabc"'),
        ("\U000e0041", r'"\udb40\udc41"'),
        ("模型", "模型"),
        (True, "true"),
        (None, "null"),
        ([["one,main", "ok", 1.5]], '[["one,main","ok",1.5]]'),
    ],
)
def test_how_people_see_a_value(value: Any, shown: str) -> None:
    line = written({"event": "request", "value": value}, Finish(console=True), "warning")
    assert line == f"03:04:05.678 [warning ] request  value={shown}\n"


@pytest.mark.parametrize("name", ["stack", "exception", "exc_info"])
def test_no_name_makes_further_lines_for_people(name: str) -> None:
    assert written({"event": "odd", name: "a\nb"}, Finish(console=True)).count("\n") == 1


def test_colours_are_the_renderers_alone() -> None:
    line = written({"event": "request", "model": "\x1b[31m"}, Finish(console=True, colours=True))
    assert line.startswith("\x1b[2m03:04:05.678\x1b[0m")
    assert r'"\u001b[31m"' in line
    assert "\x1b[31m\x1b" not in line


@pytest.mark.parametrize(
    ("env", "here", "terminal"),
    [
        ({"TERM": "xterm"}, True, (True, True)),
        ({"TERM": "xterm"}, False, (False, False)),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, (True, False)),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, (True, True)),
        ({"TERM": "dumb"}, True, (True, False)),
        ({}, True, (True, False)),
    ],
)
def test_when_there_are_colours(env: dict[str, str], here: bool, terminal: tuple[bool, bool]) -> None:
    assert terminal_of(env, here=here) == terminal


def test_the_log_loads_no_rich_and_leaves_it_to_who_wants_it(clean_env: dict[str, str]) -> None:
    seen = (
        "import core.log_chain, sys; print('rich' in sys.modules); import rich.console as found; print(found.__name__)"
    )
    run = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True, env=clean_env)
    assert run.stdout.split() == ["False", "rich.console"]
