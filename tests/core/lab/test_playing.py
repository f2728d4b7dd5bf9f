"""Generated traffic decided in this process: as the pipeline does it, and again from its records."""

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from facts import ROOT, run, settings
from relived import CHEAPEST, ruled

from core import session
from core.call import Call
from core.decision_record import Record, canonical
from core.exchange import Exchange
from core.lab.again import again
from core.lab.drivers import CannotRun
from core.lab.playing import Player, records
from core.lab.prompt_caches import counted
from core.lab.traffic import Mix, Sent, generate
from core.lab.traffic.sent import DIALECTS
from core.messages import Usage
from core.pipeline import Pipeline
from core.rolegraph import load_taxonomy
from core.routing.driver import HostDriver
from core.routing.snapshot import Snapshot, build
from core.state.memory import MemorySessions
from core.tokens import TokenCounter
from core.upstream import Upstream
from wasm_host.host import Host, Observer
from wasm_host.rule import RuleSet
from wasm_host.sandbox import Sandbox

ROUTES = {
    "image": "gemini,gemini-2.5-pro", "long_context": "gemini,gemini-2.5-flash", "background": "ollama,qwen3:8b",
    "thinking": "anthropic,claude-opus-4-5", "web_search": "anthropic,claude-sonnet-4-5",
}  # fmt: skip
COUNTER = TokenCounter()


@pytest.fixture(scope="module")
def shot() -> Snapshot:
    return build(settings(runtime=ROUTES), load_taxonomy(ROOT / "taxonomy"), RuleSet())


@pytest.fixture(scope="module")
def played(shot: Snapshot) -> list[tuple[Sent, Exchange]]:
    player = Player(shot, counter=COUNTER)
    return [(sent, player.play(sent)) for sent in generate(4, 600)]


def recorded(shot: Snapshot, requests: int) -> list[Record]:
    return list(records(generate(4, requests), Player(shot, counter=COUNTER), shot))


async def piped(played: list[tuple[Sent, Exchange]], shot: Snapshot) -> list[Exchange]:
    """The same requests on the pipeline's way; answers are those that were played."""
    host, sessions = Host(Observer(), workers=1), MemorySessions()
    pipeline = Pipeline(upstream=Upstream(), counter=COUNTER, sessions=sessions, driver=HostDriver(host))
    exchanges = []
    for sent, exchange in played:
        own = Exchange(exchange.request_id, sent.endpoint, DIALECTS[sent.endpoint], client_key=sent.client_key)
        call = Call(own, shot, keys={}, headers=sent.headers, query="", now_ms=sent.at_ms, tz_offset_min=0)
        decision = await pipeline.explain(call, sent.body)
        exchanges.append(own)
        target = exchange.answered_by
        if target is not None:
            price = shot.card(target).price
            state = session.after(call.session, call.features, decision, target, exchange.usage, price)
            if state is not None:
                sessions.write(call.features.client_key, session.key_of(call.features), state)
    await host.close()
    return exchanges


def test_decisions_are_those_of_the_pipeline(played: list[tuple[Sent, Exchange]], shot: Snapshot) -> None:
    for (sent, one), other in zip(played, asyncio.run(piped(played, shot)), strict=True):
        assert one.decision is not None
        assert other.decision is not None
        assert canonical(one.decision) == canonical(other.decision), sent
        assert one.inputs == other.inputs


def test_requests_go_where_they_were_meant_to(played: list[tuple[Sent, Exchange]]) -> None:
    for sent, exchange in played:
        assert exchange.decision is not None
        reason = exchange.decision.reason
        if sent.kind in {"title", "permission", "aside"}:
            assert reason == "background"
        if "image" in sent.marks:
            assert reason == "image"
        elif "effort" in sent.marks and sent.kind in {"prompt", "tools"}:
            assert reason in {"thinking", "long_context"}
        elif reason.startswith("concept:"):
            assert reason == f"concept:{sent.concept}"
        elif reason == "default" and sent.concept and sent.kind == "prompt":
            assert any(
                step.detail.get("why") == "no route of this concept can serve" for step in exchange.decision.trace
            )
    reasons = Counter(exchange.decision.reason.partition(":")[0] for _, exchange in played if exchange.decision)
    assert {"default", "concept", "sticky", "background", "thinking", "image", "web_search"} <= set(reasons)


def test_sessions_go_on_by_what_was_answered(played: list[tuple[Sent, Exchange]]) -> None:
    turns: Counter[str] = Counter()
    for _, exchange in played:
        assert exchange.inputs is not None
        assert exchange.decision is not None
        facts, used = exchange.inputs.features, exchange.usage
        assert used.input + used.cache_read + used.cache_write == exchange.decision.candidates[0].tokens
        if facts.request_class != "compaction":
            name = f"{facts.client_key} {session.key_of(facts)}"
            assert exchange.inputs.session.turns == turns[name]
            turns[name] += 1
    assert max(turns.values()) > 10
    spent = [exchange.cost.micros for _, exchange in played if exchange.cost]
    assert len(spent) == len(played)
    assert sum(exchange.usage.cache_read for _, exchange in played) > 1_000_000


def test_records_are_decided_again_to_the_same_bytes(shot: Snapshot) -> None:
    for record in recorded(shot, 300):
        kept = msgspec.json.decode(msgspec.json.encode(record), type=Record)
        decision, _ = run(again(kept, shot, same_patterns=True), [])
        assert canonical(decision) == canonical(record.decision)


def test_another_process_decides_the_same(shot: Snapshot) -> None:
    program = (
        "import sys; sys.path.insert(0, 'tests')\nimport test_playing\n"
        "shot = test_playing.build(test_playing.settings(runtime=test_playing.ROUTES),"
        " test_playing.load_taxonomy(test_playing.ROOT / 'taxonomy'), test_playing.RuleSet())\n"
        "for each in test_playing.recorded(shot, 100):\n    print(test_playing.canonical(each.decision).decode())"
    )
    env = {"PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo", "PYTHONPATH": f"{Path(__file__).parent}:{ROOT / 'tests'}"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, cwd=ROOT, env=env)
    assert done.stdout.strip() == b"\n".join(canonical(each.decision) for each in recorded(shot, 100))


def test_rules_answer_where_somebody_runs_them(tmp_path: Path) -> None:
    shot = ruled(tmp_path, {"one": CHEAPEST})
    sents = list(generate(4, 20))
    with Sandbox() as box:
        box.load(shot.rules.rules)
        player = Player(shot, box, COUNTER)
        reasons = {exchange.decision.reason for exchange in map(player.play, sents) if exchange.decision}
    assert "rule:one" in reasons
    with pytest.raises(CannotRun, match="nobody was named"):
        Player(shot, counter=COUNTER).play(sents[0])


def test_a_refusal_is_an_end_too(shot: Snapshot) -> None:
    mix = Mix(claude_code=0, codex=0, explicit=("nobody,model",), explicit_share=1)
    [sent] = generate(1, 1, mix)
    exchange = Player(shot, counter=COUNTER).play(sent)
    assert (exchange.status, exchange.answered_by, exchange.cost) == (404, None, None)


def test_estimates_become_what_was_counted() -> None:
    assert counted(Usage(input=50, cache_read=150, output=9), 100) == Usage(input=25, cache_read=75, output=9)
    assert counted(Usage(cache_read=100, cache_write=100, output=9), 101) == Usage(
        cache_read=50, cache_write=51, output=9
    )
    assert counted(Usage(output=9), 100) == Usage(output=9)
