"""What a rule costs in a worker: the round trip at a request of 1 KB, each further rule, and the process's memory.

Beside it, in the same run, the same work as an Extism plugin: another host of WebAssembly in Python.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import uvloop
import wasmtime

from bench import echo, trees
from bench.row import Row, number
from bench.rules import TARGETS, make_rule, make_view
from bench.stats import milliseconds, percentile, spread
from wasm_host import abi
from wasm_host.host import Host, Observer
from wasm_host.projection import project
from wasm_host.registry import load_rules
from wasm_host.rule import Rule

SUITE: Final = "Rule in a worker, at 1 KB (issue 3)"
MANY: Final = 8
ABSTAINS: Final = '{"abstain":true}'


def rows(runs: int) -> Iterator[Row]:
    """Round trips, slope, memory; then Extism."""
    with TemporaryDirectory() as folder:
        rule = make_rule(Path(folder) / "scan")
        view = make_view(rule)
        others = abstaining(Path(folder) / "others", MANY)
        others = [msgspec.structs.replace(other, view_key=rule.view_key) for other in others]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            samples, memory = runner.run(_measured(rule, others, view, runs))
    yield _row("a process that only echoes, p50", samples["echo"], None)
    yield _row("round trip, p50", samples["one"], 250.0)
    yield _row(f"{MANY} rules that abstain, p50", samples["many"], None)
    each = _each(samples["first"], samples["many"])
    call = _each(samples["first, in the guest"], samples["many, in the guest"])
    yield Row(suite=SUITE, name="each further rule that abstains", value=each, unit="µs")
    yield Row(suite=SUITE, name="of it, a fresh instance and its calls, as the worker says", value=call, unit="µs")
    yield Row(suite=SUITE, name="of it, everything else", value=each - call, unit="µs", bound=3.0)
    yield Row(suite=SUITE, name="memory of a worker (PSS)", value=memory, unit="MB", bound=35.0)
    request = project(rule.plan, view, rule.config) or b""
    yield from _extism(request, runs)


def _each(first: Sequence[float], many: Sequence[float]) -> float:
    """What each of the further rules adds."""
    return (percentile(many, 50) - percentile(first, 50)) / (MANY - 1)


def _row(name: str, samples: Sequence[float], bound: float | None) -> Row:
    return Row(
        suite=SUITE, name=name, value=percentile(samples, 50), unit="µs", bound=bound, spread=spread(samples, 10),
        note=f"p99 {number(percentile(samples, 99))} µs", figures={"p99_us": percentile(samples, 99)},
    )  # fmt: skip


async def _measured(
    rule: Rule, others: Sequence[Rule], view: dict[str, Any], runs: int
) -> tuple[dict[str, list[float]], float]:
    host = Host(Observer(), workers=1)
    host.use([rule, *others], isolation="process")
    try:
        cases = {"one": [rule], "first": others[:1], "many": others}
        for asked in cases.values():
            outcomes = await host.ask(asked, view, frozenset(TARGETS))
            if {outcome.code for outcome in outcomes} - {"route", "abstain"}:
                raise RuntimeError(f"the rules say {outcomes}")
        samples: dict[str, list[float]] = {}
        request = project(rule.plan, view, rule.config) or b""
        for _ in range(10):
            samples.setdefault("echo", []).extend(await echo.round_trips(request, runs // 10))
            for name, asked in cases.items():
                whole, within = await _times(host, asked, view, runs // 10)
                samples.setdefault(name, []).extend(whole)
                samples.setdefault(f"{name}, in the guest", []).extend(within)
        return samples, trees.own_pss_mb(host.pids[0])
    finally:
        await host.close()


async def _times(host: Host, rules: Sequence[Rule], view: dict[str, Any], runs: int) -> tuple[list[float], list[float]]:
    """Microseconds of each ask, and of the rules' own time in it."""
    targets = frozenset(TARGETS)
    whole: list[float] = []
    within: list[float] = []
    for run in range(runs + 20):
        begin = time.perf_counter_ns()
        outcomes = await host.ask(rules, view, targets)
        taken = (time.perf_counter_ns() - begin) / 1000
        if run >= 20:
            whole.append(taken)
            within.append(float(sum(outcome.micros for outcome in outcomes)))
    return whole, within


def abstaining(folder: Path, count: int) -> list[Rule]:
    """Rules that are shown the request and say at once that they have nothing to say."""
    plugins = folder / "plugins"
    plugins.mkdir(mode=0o700, parents=True)
    code = (
        f'(module (memory (export "memory") 1) (data (i32.const 16) "{ABSTAINS.replace(chr(34), chr(92) + chr(34))}")'
        f'(global i32 (i32.const NUMBER)) (func (export "{abi.ALLOC}") (param i32) (result i32) (i32.const 1024))'
        f'(func (export "{abi.ROUTE}") (param i32 i32) (result i64) (i64.const {16 << 32 | len(ABSTAINS)})))'
    )
    for at in range(count):
        (plugins / f"abstains_{at}.wat").write_text(code.replace("NUMBER", str(at)))
    operator = {f"abstains_{at}": {"grant": ["request.last_user"]} for at in range(count)}
    return list(load_rules(plugins, operator, cache=folder / "cache").rules)


def _extism(request: bytes, runs: int) -> Iterator[Row]:
    """The same request and scan, in Extism's Python SDK: a fresh plugin of a compiled module for each call."""
    import extism  # noqa: PLC0415 - it brings an engine of its own, which only this row needs
    from extism.extism import CompiledPlugin  # noqa: PLC0415 - as above

    compiled = CompiledPlugin(bytes(wasmtime.wat2wasm(Path(__file__).with_name("scan_extism.wat").read_text())))
    kept = extism.Plugin(compiled)

    def fresh() -> None:
        answer = extism.Plugin(compiled).call("route", request)
        if answer != b'{"route":"long,context"}':
            raise RuntimeError(f"the plugin says {answer!r}")

    ways: dict[str, Callable[[], object]] = {
        "fresh plugin": fresh,
        "kept between calls": lambda: kept.call("route", request),
    }
    for name, way in ways.items():
        samples = [1000 * one for one in milliseconds(way, max(runs // 5, 20))]
        yield Row(
            suite=SUITE, name=f"Extism in this process, {name}, p50", value=percentile(samples, 50), unit="µs",
            spread=spread(samples, 10), note=f"p99 {number(percentile(samples, 99))} µs",
        )  # fmt: skip
