"""The log of the real program: its format and level, and what hostile names make of it."""

import time
from pathlib import Path

import httpx
import pytest
from configs import write_config
from proxy import PATIENCE_S, RunningProxy, running

SECRET = "sk-canary-0123456789abcdef"  # noqa: S105  # it is of no use


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "TERRAPHIM_DISCOVERY": "off", "ONE_KEY": SECRET}


def asked(proxy: RunningProxy, model: str) -> str:
    """The id of a request for a model of this name."""
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    answer = httpx.post(f"{proxy.url}/v1/messages", json=body, timeout=PATIENCE_S)
    return answer.headers["x-terraphim-request-id"]


def test_a_name_fakes_no_line_for_people(env: dict[str, str]) -> None:
    with running(env | {"TERRAPHIM_LOG__FORMAT": "console"}) as proxy:
        before = len(proxy.lines)
        wanted = asked(proxy, "x\n03:04:05.678 [info    ] request  status=200 \x1b[2J\u202e")
        last = asked(proxy, "auto")
        proxy.wait_for_text(last)
        lines = proxy.lines[before:]
    assert [wanted in line for line in lines] == [True, False]
    assert all(line.rstrip("\n").isprintable() and "[info    ] request  " in line for line in lines)


def test_format_and_level_change_while_it_serves(tmp_path: Path, env: dict[str, str]) -> None:
    config = write_config(tmp_path, "http://127.0.0.1:9")
    text = config.read_text()
    with running(env, "--config", str(config)) as proxy:
        first = asked(proxy, "auto")
        proxy.wait_for(event="request", request_id=first)
        config.write_text(f'{text}[log]\nformat = "console"\n')
        assert " [info    ] snapshot_swapped " in proxy.wait_for_text("snapshot_swapped")
        config.write_text(f'{text}[log]\nformat = "console"\nlevel = "error"\n')
        wait_for_swaps(proxy, 2)
        silent = asked(proxy, "auto")
        config.write_text(text)
        proxy.wait_for(event="snapshot_swapped")
        last = asked(proxy, "auto")
        proxy.wait_for(event="request", request_id=last)
    assert not any(silent in line for line in proxy.lines)


def wait_for_swaps(proxy: RunningProxy, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while f'terraphim_reloads_total{{outcome="swapped"}} {count}.0' not in httpx.get(f"{proxy.url}/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_no_way_leads_past_the_redaction(tmp_path: Path, env: dict[str, str]) -> None:
    """What says a key on purpose: a problem of the configuration, a client's words, and a library's."""
    config = write_config(tmp_path, "http://127.0.0.1:9")
    with running(env, "--config", str(config)) as proxy:
        proxy.wait_for(event="request", request_id=asked(proxy, f"one,{SECRET}"))
        (tmp_path / "taxonomy" / "bad.md").write_text(f"# Bad\n\nroute:: {SECRET}\n")
        problem = proxy.wait_for_text("bad.md")
    assert "[redacted]" in problem
    assert not any(SECRET in line for line in proxy.lines)
