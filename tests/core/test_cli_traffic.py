"""`traffic` in a real process, and against a real proxy."""

from pathlib import Path

import httpx
import msgspec
import pytest
from command import Cli
from proxy import running

from core.lab.traffic import generate


@pytest.fixture
def cli(clean_env: dict[str, str], tmp_path: Path) -> Cli:
    return Cli(clean_env, tmp_path)


def test_lines_are_the_generated_requests(cli: Cli, tmp_path: Path) -> None:
    code, out, _ = cli("traffic", "--seed", "3", "--requests", "20")
    lines = [msgspec.json.decode(line) for line in out.splitlines()]
    assert code == 0
    for line, sent in zip(lines, generate(3, 20), strict=True):
        assert msgspec.json.encode(line["body"]) == msgspec.json.encode(msgspec.json.decode(sent.body))
        assert (line["at_ms"], line["endpoint"], line["headers"]) == (sent.at_ms, sent.endpoint, sent.headers)
    code, report = cli.json("traffic", tmp_path / "lines", "--seed", "3", "--requests", "20")
    assert (code, report["requests"]) == (0, 20)
    assert (tmp_path / "lines").read_bytes() == out.encode()
    assert report["bytes"] == len(out.encode())


def test_a_proxy_answers_what_is_sent(cli: Cli, clean_env: dict[str, str]) -> None:
    with running(clean_env) as proxy:
        code, report = cli.json("traffic", "--requests", "60", "--to", proxy.url)
        health = httpx.get(f"{proxy.url}/health")
    assert health.status_code == 200
    assert (code, report["requests"], report["failed"]) == (0, 60, 0), report
    assert report["statuses"] == {"200": 60}
    assert sum(report["reasons"].values()) == 60
    assert report["reasons"]["background"] > 0
    code, _, err = cli("traffic", "--requests", "5", "--to", proxy.url)
    assert (code, "is a proxy running there?" in err) == (1, True)


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "http://192.0.2.1:3456", "http://127.0.0.1:99999", "nothing"])
def test_it_is_sent_to_this_machine_only(cli: Cli, url: str) -> None:
    code, out, err = cli("traffic", "--to", url)
    assert (code, out) == (2, "")
    assert err.startswith("error: --to: ")


def test_what_cannot_be_written_is_said(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("traffic", tmp_path / "no" / "where")
    assert (code, err) == (1, f"error: {tmp_path}/no/where: No such file or directory\n")
    assert cli("traffic", "lines", "--to", "http://127.0.0.1:1")[0] == 2
