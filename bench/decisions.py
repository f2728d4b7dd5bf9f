"""How long a decision takes: with the shipped taxonomy, the embedded targets, and the shipped demo rule or none."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from bench import bodies
from bench.row import Row, number
from bench.stats import milliseconds, percentile, spread
from core import presets
from core.call import Call
from core.course import Means
from core.dialects import CLIENTS
from core.exchange import Candidate, Decision, Exchange, ProviderKey
from core.lab.playing import Player
from core.lab.traffic import generate
from core.pipeline import Pipeline
from core.rolegraph import load_taxonomy
from core.routing.driver import HostDriver
from core.routing.snapshot import Snapshot, build
from core.state.memory import MemorySessions
from core.tokens import TokenCounter
from core.upstream import Upstream
from wasm_host.host import Host, Observer
from wasm_host.registry import load_rules
from wasm_host.rule import RuleSet

ROOT = Path(__file__).parent.parent
SUITE = "Decision, tokens cached"
#: Name, the phase that must decide, whether there is a rule, what the request says.
Case = tuple[str, str, bool, Callable[[bytes], bytes]]
WISH = "Please use deepseek r1 for this."


def _model(name: str) -> Callable[[bytes], bytes]:
    return lambda body: body.replace(f'"{bodies.MODEL}"'.encode(), f'"{name}"'.encode(), 1)


def _thinking(body: bytes) -> bytes:
    return body[:-1] + b',"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}'


CASES: tuple[Case, ...] = (
    ("runtime", "runtime", False, _thinking),
    ("explicit", "explicit", False, _model("openai,gpt-5-mini")),
    ("pattern", "pattern", False, lambda body: bodies.asking(body, WISH)),
    ("default", "default", False, lambda body: body),
    ("custom, the rule abstains", "default", True, lambda body: body),
    ("custom, the rule routes", "custom", True, _model("wasm-demo")),
)
#: p50 (ms) without a rule and with one inline: issue 9's for a small request, issue 2's for a large one.
SIZES = (("1 KB", bodies.kilo, 0.05, 0.12), ("100 KB", bodies.large, 0.15, 1.0))
WORKER_MS = 0.30
#: From a small request's bytes to its decision, on one core (issue 9).
A_SECOND = 4000.0


def rows(runs: int) -> Iterator[Row]:
    """One decision by phase and size, then the whole way from bytes."""
    with TemporaryDirectory() as folder:
        rules = _rules(Path(folder))
        for size, make, bare, inline in SIZES:
            for name, phase, ruled, change in CASES:
                call, pipeline = prepared(change(make()), snapshot(trusted(rules) if ruled else RuleSet()))
                tokens = asyncio.run(explained(pipeline, call, phase))
                samples = milliseconds(lambda c=call, p=pipeline, t=tokens: at_once(p.decide(c, t)), runs)  # type: ignore[misc]
                yield _row(f"{name}, {size}", samples, inline if ruled else bare)
        yield _row("custom, the rule abstains in a worker, 1 KB", asyncio.run(_in_worker(rules, runs)), WORKER_MS)
        yield _a_second(runs)
        for size, make, *_ in SIZES:
            call, pipeline = prepared(make(), snapshot(RuleSet()))
            body = call.request.raw
            samples = asyncio.run(_whole(pipeline, call, body, runs))
            yield _row(f"decode + count + decide, default, {size}", samples, None)
        yield _row("choosing whom to ask, nothing fails", milliseconds(_course(), runs), None)


def _a_second(runs: int) -> Row:
    call, pipeline = prepared(bodies.small(), snapshot(RuleSet()))
    samples = asyncio.run(_whole(pipeline, call, call.request.raw, runs))
    rates = sorted(1000 / one for one in spread(samples))
    return Row(
        suite=SUITE, name="decode + count + decide, default, 300 B", value=1000 / percentile(samples, 50),
        unit="/s", bound=A_SECOND, better="higher", spread=(rates[0], rates[1]), note="1 / p50",
    )  # fmt: skip


async def _in_worker(rules: RuleSet, runs: int) -> list[float]:
    """Milliseconds of a decision that waits for a rule in its process."""
    call, pipeline = prepared(bodies.kilo(), snapshot(trusted(rules)))
    host = Host(Observer(), workers=1)
    host.use(rules.rules, isolation="process")
    try:
        driver = HostDriver(host)
        tokens = await explained(pipeline, call, "default")
        samples = []
        for run in range(runs + 20):
            begin = time.perf_counter_ns()
            await pipeline.decide(call, tokens, driver)
            if run >= 20:
                samples.append((time.perf_counter_ns() - begin) / 1e6)
        return samples
    finally:
        await host.close()


def _course() -> Callable[[], None]:
    """What resilience adds to a request on which nothing fails: permit, key, outcome."""
    shot = snapshot(RuleSet())
    means, keys = Means(), {shot.default.provider: (ProviderKey(1, "key"), ProviderKey(2, "other"))}
    means.standing.keep(shot.addresses)
    candidates = [Candidate(target) for target in (shot.default, *shot.fallback)]

    def run() -> None:
        with means.course(candidates, keys, shot.settings.resilience, session="s") as course:
            permit = course.next().permit
            permit.answered(12.0)
            permit.done(fault=False)

    return run


def _row(name: str, samples: list[float], bound: float | None) -> Row:
    middle, high = percentile(samples, 50), percentile(samples, 99)
    note, figures = f"p99 {number(high)}", {"p99_ms": high}
    return Row(
        suite=SUITE, name=name, value=middle, unit="ms p50", bound=bound, spread=spread(samples), note=note,
        figures=figures,
    )  # fmt: skip


def _rules(folder: Path) -> RuleSet:
    plugins, cache = folder / "plugins", folder / "cache"
    plugins.mkdir()
    cache.mkdir(mode=0o700)
    (plugins / "wasm-demo.wat").write_bytes((ROOT / "plugins" / "wasm-demo.wat").read_bytes())
    rules = load_rules(plugins, {}, cache=cache)
    if len(rules.rules) != 1:
        raise RuntimeError(f"the demo rule does not load: {rules.problems}")
    return rules


def snapshot(rules: RuleSet) -> Snapshot:
    """What a start without a configuration decides with."""
    return build(presets.embedded(set(), {}), load_taxonomy(ROOT / "taxonomy"), rules)


def played(count: int) -> tuple[Snapshot, list[Exchange]]:
    """So many requests of generated traffic, decided without rules, and what decided them."""
    shot = snapshot(RuleSet())
    player = Player(shot)
    return shot, [player.play(sent) for sent in generate(7, count)]


def trusted(rules: RuleSet) -> RuleSet:
    """The same, as if they were locked: others do not run inline."""
    locked = [msgspec.structs.replace(rule, trust="locked") for rule in rules.rules]
    return msgspec.structs.replace(rules, rules=tuple(locked))


def prepared(body: bytes, shot: Snapshot) -> tuple[Call, Pipeline]:
    """The body as a decoded request, and what decides it; rules run inline."""
    host = Host(Observer(), workers=1)
    host.use(shot.rules.rules, isolation="inline")
    pipeline = Pipeline(
        upstream=Upstream(),
        counter=TokenCounter(),
        sessions=MemorySessions(),
        driver=HostDriver(host),
    )
    headers = {"user-agent": "claude-cli/2.1.330 (external, cli)", "anthropic-version": "2023-06-01"}
    exchange = Exchange("req_" + "0" * 32, "bench", "anthropic")
    call = Call(
        exchange=exchange, snapshot=shot, keys={}, headers=headers, query="", now_ms=1_763_800_000_000, tz_offset_min=0
    )
    call.request = CLIENTS["anthropic"].decode_request(body)
    return call, pipeline


def at_once(decision: Coroutine[Any, Any, Decision]) -> None:
    """Rules that run here never make a decision wait, so no event loop is needed. RuntimeError if it waits."""
    with suppress(StopIteration):
        decision.send(None)
        raise RuntimeError("the decision waits for somebody")


async def explained(pipeline: Pipeline, call: Call, phase: str) -> int:
    """The request's tokens. It is decided once, so that all is cached; the phase must be the one that is meant."""
    decision = await pipeline.explain(call, call.request.raw)
    if decision.phase != phase:
        raise RuntimeError(f"meant for {phase}, but decided by {decision.phase}: {decision.reason} {decision.trace}")
    return await pipeline.count(call.request)


async def _whole(pipeline: Pipeline, call: Call, body: bytes, runs: int) -> list[float]:
    samples = []
    for run in range(runs + 20):
        begin = time.perf_counter_ns()
        await pipeline.explain(call, body)
        if run >= 20:
            samples.append((time.perf_counter_ns() - begin) / 1e6)
    return samples
