from collections.abc import Sequence
from pathlib import Path

import pytest
from command import Cli
from test_records import row

from core.cli_usage import Line, money
from core.records import INSERT, Row
from core.state import sqlite

#: 2026-11-05 and -06, UTC; the first lies an hour before midnight.
LATE, NEXT = 1_793_919_600_000, 1_793_930_400_000


@pytest.fixture
def cli(clean_env: dict[str, str], tmp_path: Path) -> Cli:
    return Cli(clean_env, tmp_path)


def recorded(home: Path, rows: Sequence[Row]) -> Path:
    path = home / ".local" / "state" / "terraphim-proxy" / "records.db"
    connection = sqlite.writable(path)
    connection.executemany(INSERT, rows)
    connection.close()
    return path


@pytest.fixture
def rows(tmp_path: Path, cli: Cli) -> Path:
    return recorded(
        tmp_path / "home",
        [
            row(1, time=LATE, client="laptop", provider="a", model="one", input=10, output=5, cost=1_500_000),
            row(2, time=NEXT, client="laptop", provider="a", model="two", input=20, status=499, cost=7, estimated=True),
            row(3, time=NEXT, client="", provider="b", model="two", cost=None, unpriced=True),
            row(4, time=NEXT, client="ci", provider="b", model="two", cost=0, simulated=True),
            row(5, time=NEXT - 40 * 86_400_000, client="old", cost=9),
        ],
    )


RANGE = ("--since", "2026-11-01", "--until", "2026-11-30")


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("key", [("laptop", 2, 1_500_007), ("ci", 1, 0), ("", 1, 0)]),
        ("model", [("a,one", 1, 1_500_000), ("a,two", 1, 7), ("b,two", 2, 0)]),
        ("provider", [("a", 2, 1_500_007), ("b", 2, 0)]),
        ("day", [("2026-11-05", 1, 1_500_000), ("2026-11-06", 3, 7)]),
    ],
)
def test_sums_by_group(cli: Cli, rows: Path, by: str, expected: list[tuple[str, int, int]]) -> None:
    code, found = cli.json("usage", "--by", by, *RANGE)
    assert code == 0
    assert [(line["name"], line["requests"], line["cost_micro_usd"]) for line in found["lines"]] == expected
    total = found["total"]
    assert (total["requests"], total["failed"], total["unpriced"], total["estimated"], total["simulated"]) == (
        4,
        1,
        1,
        1,
        1,
    )
    assert total["cost_micro_usd"] == 1_500_007


def test_days_are_whole_and_utc(cli: Cli, rows: Path) -> None:
    _, found = cli.json("usage", "--since", "2026-11-05", "--until", "2026-11-05")
    assert [line["requests"] for line in found["lines"]] == [1]
    _, found = cli.json("usage", "--since", "2026-11-07", "--until", "2026-11-30")
    assert (found["lines"], found["total"]["requests"], found["recorded"]) == ([], 0, True)


def test_the_table(cli: Cli, rows: Path) -> None:
    code, out, _ = cli("usage", *RANGE)
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "2026-11-01 to 2026-11-30 (UTC)"
    assert lines[1].split("  ")[0] == "key"
    table = {line.split()[0]: line.split()[-1] for line in lines[2:6]}
    assert table == {"laptop": "1.500007", "ci": "0.000000", "(no": "?", "total": "?"}
    assert lines[5].endswith("1.500007 + ?")
    assert [line.partition(" requests ")[0] for line in lines[6:]] == ["1 of 4"] * 3


def test_a_request_that_nobody_could_answer_has_no_model(cli: Cli, tmp_path: Path) -> None:
    recorded(tmp_path / "home", [row(1, time=NEXT, provider="", model="", cost=0)])
    code, out, _ = cli("usage", "--by", "model", *RANGE)
    assert (code, out.splitlines()[2].split()[:2]) == (0, ["(nobody)", "1"])


def test_nothing_recorded_yet(cli: Cli) -> None:
    code, out, _ = cli("usage")
    assert (code, "no requests were recorded yet" in out) == (0, True)
    code, found = cli.json("usage")
    assert (code, found["recorded"], found["lines"]) == (0, False, [])


def test_nothing_is_recorded(cli: Cli) -> None:
    cli.env["TERRAPHIM_RECORDS__STORE"] = "none"
    code, out, _ = cli("usage")
    assert (code, out) == (0, 'nothing is recorded: records.store = "none"\n')


@pytest.mark.parametrize("wrong", [("--by", "user"), ("--since", "yesterday"), ("--until", "2026-13-01")])
def test_wrong_use_is_said(cli: Cli, wrong: tuple[str, str]) -> None:
    code, _, err = cli("usage", *wrong)
    assert (code, wrong[0] in err) == (2, True)


def test_a_damaged_database_is_said(cli: Cli, rows: Path) -> None:
    rows.write_bytes(b"damaged " * 1000)
    code, out, err = cli("usage")
    assert (code, out) == (1, "")
    assert err == f"error: {rows}: file is not a database\n"


@pytest.mark.parametrize(
    ("cost", "unpriced", "shown"),
    [(0, 0, "0.000000"), (1, 0, "0.000001"), (12_345_678, 2, "12.345678 + ?"), (0, 1, "?")],
)
def test_money(cost: int, unpriced: int, shown: str) -> None:
    assert money(Line("x", 2, 0, 0, 0, 0, 0, cost, unpriced, 0, 0)) == shown
