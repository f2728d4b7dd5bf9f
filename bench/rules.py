"""What a rule costs: one fresh call at a request of 1 KB, projection and judgement included, in each way to the engine.

Both ways take turns in blocks, so that the machine's mood is theirs alike.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from bench.row import Row, number
from bench.stats import milliseconds, percentile, spread
from wasm_host import abi, engine, paths
from wasm_host.guest import Runtime
from wasm_host.inline import InlineRunner
from wasm_host.projection import project
from wasm_host.public import Public
from wasm_host.registry import load_rules
from wasm_host.rule import Rule

SUITE = "Rule, a fresh call at 1 KB (issue 3)"
SIZE: Final = 1024
BLOCKS: Final = 10
TARGETS: Final = ("long,context", "short,context")
BOUND_US: Final = 60.0


def rows(runs: int) -> Iterator[Row]:
    """Each way to the engine; then what the clock costs that ends calls."""
    with TemporaryDirectory() as folder:
        rule = make_rule(Path(folder))
        view = make_view(rule)
        serving = paths.serving()
        ways: dict[str, Runtime] = {"public API": Public()}
        if not serving.reason:
            ways = {"C API": serving.runtime, **ways}
        samples = _samples(rule, view, ways, runs)
    for name, each in samples.items():
        yield Row(
            suite=SUITE, name=f"inline, {name}, p50", value=percentile(each, 50), unit="µs",
            bound=BOUND_US if name == "C API" else None, spread=spread(each, BLOCKS),
            note=f"p99 {number(percentile(each, 99))} µs; best twentieth {number(percentile(each, 5))} µs",
            figures={"p5_us": percentile(each, 5), "p99_us": percentile(each, 99)},
        )  # fmt: skip
    yield Row(suite=SUITE, name="the deadlines' clock while calls come", value=_ticking(1.0), unit="% of a core")


def make_rule(folder: Path) -> Rule:
    plugins = folder / "plugins"
    plugins.mkdir(mode=0o700, parents=True)
    (plugins / "scan.wat").write_bytes(Path(__file__).with_name("scan.wat").read_bytes())
    [rule] = load_rules(plugins, {"scan": {"grant": ["request.last_user"]}}, cache=folder / "cache").rules
    return rule


def make_view(rule: Rule) -> dict[str, Any]:
    """A request of exactly `SIZE` bytes for this rule."""
    bare = _saying("")
    view = _saying("x" * (SIZE - len(project(rule.plan, bare, rule.config) or b"")))
    size = len(project(rule.plan, view, rule.config) or b"")
    if size != SIZE:
        raise RuntimeError(f"the request is {size} bytes")
    return view


def _saying(text: str) -> dict[str, Any]:
    request = abi.EXAMPLE["request"] | {"last_user": text}
    return abi.EXAMPLE | {"targets": [{"name": name} for name in TARGETS], "request": request}


def _samples(rule: Rule, view: dict[str, Any], ways: dict[str, Runtime], runs: int) -> dict[str, list[float]]:
    """Microseconds of each call."""
    runners = {name: InlineRunner(runtime=runtime) for name, runtime in ways.items()}
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for runner in runners.values():
        [outcome] = runner.run([rule], view, frozenset(TARGETS))
        if outcome.route != TARGETS[0]:
            raise RuntimeError(f"the rule says {outcome}")
    for _ in range(BLOCKS):
        for name, runner in runners.items():
            each = milliseconds(lambda: runner.run([rule], view, frozenset(TARGETS)), runs // BLOCKS)  # noqa: B023
            samples[name] += [1000 * one for one in each]
    return samples


def _ticking(seconds: float) -> float:
    """CPU time of this process while only the ticker runs."""
    engine.ticker.enter(1)
    engine.ticker.leave()
    begin = time.process_time()
    time.sleep(seconds)
    return 100 * (time.process_time() - begin) / seconds
