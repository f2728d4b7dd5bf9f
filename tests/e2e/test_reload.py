"""Files of a running proxy change: what is said where, what goes, what waits for a restart."""

import ast
import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from configs import write_config
from facts import ROOT
from proxy import RunningProxy, running

from core import settings
from core.app import Proxy
from core.logs import LogWriter
from core.restart import AT_START, NAMES
from core.sections import Section
from core.web import site
from prove.scene import wait


@pytest.fixture
def served(tmp_path: Path, clean_env: dict[str, str]) -> Iterator[tuple[RunningProxy, Path]]:
    config = write_config(tmp_path, "http://127.0.0.1:1")
    with running({**clean_env, "ONE_KEY": "sk-upstream-canary"}, "--config", str(config)) as proxy:
        yield proxy, config


def health(proxy: RunningProxy) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{proxy.url}/health").json()
    return found


def gauge(proxy: RunningProxy) -> float:
    text = httpx.get(f"{proxy.url}/metrics").text
    return float(next(line for line in text.splitlines() if line.startswith("terraphim_problems ")).split()[1])


@pytest.mark.parametrize(
    ("name", "broken", "line", "words", "refused"),
    [
        ("config.toml", "[routing\n", 1, "not TOML", True),
        ("taxonomy/a.md", "# A\npriority:: 900\n", 2, "priority", False),
        ("plugins/a.wat", "(module", 0, "", False),
        ("plugins/a.wasm", "\0asm", 0, "", False),
    ],
)
def test_a_broken_file_is_said_everywhere_and_so_is_that_it_is_mended(
    served: tuple[RunningProxy, Path], name: str, broken: str, line: int, words: str, refused: bool
) -> None:
    proxy, config = served
    file = config.parent / name
    before, good, snapshot = gauge(proxy), config.read_text(), health(proxy)["snapshot"]
    file.write_text(broken)
    wait(lambda: gauge(proxy) > before, "no metric counts it", patience_s=10)
    [problem] = [each for each in health(proxy)["problem"] if each["file"].endswith(file.name)]
    assert (problem["line"], problem["refused"]) == (line, refused)
    assert words in problem["message"]
    assert health(proxy)["problems"] == gauge(proxy) == len(health(proxy)["problem"])
    said = proxy.wait_for(event="reload_failed" if refused else "problem")
    assert file.name in said["problem"]
    assert health(proxy)["status"] == "ok"
    assert (last_reload(proxy) == "failed") is refused
    if name == "config.toml":
        file.write_text(good)
    else:
        file.unlink()
    wait(lambda: gauge(proxy) == before, "it is still counted", patience_s=10)
    assert proxy.wait_for(event="problem_gone")["problem"] == said["problem"]
    assert health(proxy)["snapshot"] == snapshot
    wait(lambda: last_reload(proxy) != "failed", "the page still says so", patience_s=10)


def last_reload(proxy: RunningProxy) -> str:
    found: str = httpx.get(f"{proxy.url}/admin/overview", headers=proxy.admin).json()["last_reload"]["outcome"]
    return found


def test_what_waits_for_a_restart_is_said(served: tuple[RunningProxy, Path]) -> None:
    proxy, config = served
    text = config.read_text()
    assert health(proxy)["restart"] == []
    config.write_text(f'[server]\nhost = "::1"\nmax_headers = 17\n{text}')
    wait(lambda: bool(health(proxy)["restart"]), "nothing waits", patience_s=10)
    assert health(proxy)["restart"] == ["server.host"]
    assert "server.host = ::1 counts from the next start" in proxy.wait_for(event="problem")["problem"]
    config.write_text(text)
    wait(lambda: health(proxy)["restart"] == [], "it still waits", patience_s=10)


def test_names_of_files_are_for_who_is_trusted(
    tmp_path: Path, clean_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config(tmp_path, "http://127.0.0.1:1")
    config.write_text(config.read_text() + '[[server.keys]]\nname = "a"\nkey = { env = "A" }\n')
    env = {**clean_env, "A": "a-key-that-is-long-enough"}
    log = LogWriter()
    proxy = Proxy(lambda: settings.load(config, env), env, log)
    monkeypatch.setattr(site, "_is_here", lambda _: False)

    async def ask(**headers: str) -> dict[str, Any]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(proxy.asgi), base_url="http://localhost") as client:
            found: dict[str, Any] = (await client.get("/health", headers=headers)).json()
            return found

    assert "problem" not in asyncio.run(ask())
    assert "problem" in asyncio.run(ask(authorization="Bearer a-key-that-is-long-enough"))
    assert asyncio.run(ask())["problems"] == 1  # ONE_KEY is not there
    asyncio.run(proxy.keeping.close())
    log.close()


def test_all_that_is_read_at_the_start_is_read_again_at_a_reload(
    tmp_path: Path, clean_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for what `core.restart` lists, which `serve` alone reads."""
    config = write_config(tmp_path, "http://127.0.0.1:1")
    config.write_text(config.read_text() + '[cache]\ntargets = ["*"]\n')
    read: set[tuple[str, str]] = set()

    def tracing(self: Section, name: str) -> Any:
        if name in type(self).model_fields and "core" in sys._getframe(1).f_code.co_filename:
            read.add((type(self).__name__, name))
        return object.__getattribute__(self, name)

    monkeypatch.setattr(Section, "__getattribute__", tracing, raising=False)
    log = LogWriter()
    proxy = Proxy(lambda: settings.load(config, clean_env), clean_env, log)
    at_start, at_reload = set(read), read
    read.clear()
    config.write_text(config.read_text().replace('default = "one,main"', 'default = "one,small"'))
    assert asyncio.run(proxy.generations.reload())
    assert len(at_start) > 30
    assert at_start - at_reload == set()
    asyncio.run(proxy.keeping.close())
    log.close()
    source = ast.parse("".join((ROOT / "core" / name).read_text() for name in ("serving.py", "starting.py")))
    by_serve = {
        node.attr
        for node in ast.walk(source)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "server"
    }
    # The banner's, and those that `patience` asks for when it stops.
    asked_again = {"keys", "drain_delay_s", "drain_s"}
    assert {f"server.{key}" for key in by_serve - asked_again} == NAMES
    assert {table for table, _ in AT_START} == {"server"}
