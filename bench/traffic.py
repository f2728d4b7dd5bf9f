"""Requests/s and latency through the proxy, beside a bare pass-through on the same server and HTTP client.

The measured program has one core to itself; provider and load generator share the other. Targets take turns, so that
what else the machine does falls on all of them; ratios and differences are made within a turn, and their median counts.
"""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec

from bench import bodies, children
from bench.children import Cores
from bench.decisions import ROOT
from bench.row import Row, number
from bench.stats import median, percentile

SUITE = "Traffic (requests/s, our own load generator; beside a bare ASGI + aiohttp pass-through)"
PATH = "/v1/messages"
PROVIDERS = {"same": ("anthropic", ""), "translated": ("openai", "/v1"), "with a rule": ("anthropic", "")}
CONNECTIONS = (1, 16)


class Run(NamedTuple):
    """What one load generator saw. Latencies in ms."""

    rate: float
    p50: float
    p99: float


def rows(rounds: int, seconds: float) -> Iterator[Row]:
    """Every cell, each target for `seconds` in each of `rounds` turns."""
    cores = Cores.available()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        home = Path(folder)
        ports = _start(stack, home, cores)
        for size, form, connections in product(("S", "L"), ("JSON", "SSE"), CONNECTIONS):
            body = home / f"{size}-{form}"
            make = bodies.small if size == "S" else bodies.large
            body.write_bytes(make(stream=form == "SSE"))
            for (
                port
            ) in ports.values():  # vocabularies, connections and this body's counts are there before the clock runs
                _warm(port, body)
            targets = [name for name in ports if name != "with a rule" or (form == "JSON" and connections == 16)]
            turns = [
                {name: measured(ports[name], body, connections, seconds, cores) for name in targets}
                for _ in range(rounds)
            ]
            for name in targets[1:]:
                yield _row(f"{size} {form} c={connections}, {name}", name, turns)


def _row(title: str, name: str, turns: Sequence[dict[str, Run]]) -> Row:
    ratios = [turn[name].rate / turn["floor"].rate for turn in turns]
    figures = {
        "floor_rate": median([turn["floor"].rate for turn in turns]),
        "of_floor": median(ratios),
        "of_floor_lowest": min(ratios),
        "of_floor_highest": max(ratios),
        "added_p50_ms": median([turn[name].p50 - turn["floor"].p50 for turn in turns]),
        "added_p99_ms": median([turn[name].p99 - turn["floor"].p99 for turn in turns]),
    }
    note = (
        f"{figures['of_floor']:.2f} of the floor's {number(figures['floor_rate'])};"
        f" added p50 {number(figures['added_p50_ms'])} ms, p99 {number(figures['added_p99_ms'])} ms"
    )
    rates = [turn[name].rate for turn in turns]
    return Row(
        suite=SUITE, name=title, value=median(rates), unit="/s", better="higher", spread=(min(rates), max(rates)),
        note=note, figures=figures,
    )  # fmt: skip


def _start(stack: ExitStack, home: Path, cores: Cores) -> dict[str, int]:
    """Name of each target to its port, the floor first. One provider serves them all."""
    mock = stack.enter_context(children.program("mock", core=cores.around, home=home / "mock"))
    upstream = f"http://127.0.0.1:{mock.port}"
    floor = children.program("floor", upstream, core=cores.measured, home=home / "floor")
    ports = {"floor": stack.enter_context(floor).port}
    for name, (dialect, base) in PROVIDERS.items():
        own = home / name
        config = _config(own, dialect, upstream + base, ruled=name == "with a rule")
        running = children.proxy("--config", str(config), core=cores.measured, home=own)
        ports[name] = stack.enter_context(running).port
    return ports


def _config(home: Path, dialect: str, url: str, *, ruled: bool) -> Path:
    """One provider, the shipped taxonomy, the shipped rule or none. The model's name changes on its way."""
    plugins = home / "plugins"
    plugins.mkdir(parents=True)
    if ruled:
        (plugins / "wasm-demo.wat").write_bytes((ROOT / "plugins" / "wasm-demo.wat").read_bytes())
    config = home / "config.toml"
    config.write_text(
        f'[providers.mock]\ndialect = "{dialect}"\nbase_url = "{url}"\nallow_private = true\n'
        f'[routing]\ndefault = "mock,other-model"\n[plugins]\ndir = "{plugins}"\n'
        f"[taxonomy]\ndir = {json.dumps(str(ROOT / 'taxonomy'))}\n"
    )
    return config


def _warm(port: int, body: Path) -> None:
    status, answer = children.request(port, "POST", PATH, body.read_bytes())
    if status != 200:
        raise RuntimeError(f"{body.name}: status {status}, {answer[:300]!r}")


def measured(port: int, body: Path, connections: int, seconds: float, cores: Cores) -> Run:
    """One run of the load generator; RuntimeError if an answer was broken, or if none came in two runs."""
    run = _load(port, body, connections, seconds, cores) or _load(port, body, connections, seconds, cores)
    if run is None:
        raise RuntimeError(
            f"{body.name}: no answer in two runs of {seconds} s; the machine stands still, or the server"
        )
    return run


def _load(port: int, body: Path, connections: int, seconds: float, cores: Cores) -> Run | None:
    program = str(children.HERE / "clients.py")
    command = children.python(program, str(port), PATH, str(body), str(connections), str(seconds))
    env = children.environment(body.parent / "clients")
    with children.pinned(cores.around):
        done = subprocess.run(command, env=env, capture_output=True, timeout=seconds + 30, check=True)
    seen = msgspec.json.decode(done.stdout)
    samples = seen["milliseconds"]
    if seen["broken"]:
        raise RuntimeError(f"{body.name}: {seen['broken']} answers broken, {len(samples)} whole")
    if not samples:
        return None
    return Run(len(samples) / seen["seconds"], percentile(samples, 50), percentile(samples, 99))
