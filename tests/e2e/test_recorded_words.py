"""No words of a request reach a decision's record, wherever in it they stand and whoever repeats them; captured are
those that a rule was granted, and no others.
"""

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from configs import write_config
from proxy import RunningProxy, running
from upstream import Upstream
from upstream_script import Step

from core.state.ledger import entries

#: So many characters in a row are the user's words.
RUN: Final = 12
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
#: Says what it was shown: in its log, and in an answer that breaks the contract, which the host's message is about.
ECHO: Final = """
(module
  (import "terraphim" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 6)
  (func (export "rule_v1_alloc") (param i32) (result i32) (i32.const 2048))
  (func (export "rule_v1_route") (param $at i32) (param $size i32) (result i64)
    (call $log (i32.const 1) (local.get $at) (local.get $size))
    (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $size)))))
"""
RULES: Final = """
[rules.echo]
input = ["request", "request.last_user", "session", "client"]
grant = ["request.last_user", "session"]
allow_deny = true
[rules.blind]
input = ["request", "client"]
"""
CONCEPT: Final = "# Frugal\nroute:: two, spare\nsynonyms:: spare my purse\n"
KEY: Final = "sk-upstream-canary-8e1f0c"


class Prompt:
    """Eight words for each place, which stand nowhere else."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - reproducible on purpose
        self.words: dict[str, str] = {}

    def __call__(self, place: str) -> str:
        return self.words.setdefault(place, " ".join(self._word() for _ in range(8)))

    def _word(self) -> str:
        return "".join(self._random.choices(LETTERS, k=self._random.randint(4, 9)))

    def runs(self) -> dict[str, str]:
        """Every run of twelve characters, and the place that it is of."""
        return {
            words[at : at + RUN]: place for place, words in self.words.items() for at in range(len(words) - RUN + 1)
        }


def anthropic(say: Prompt, **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {say("property"): {"description": say("schema")}}}
    use = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": say("tool input")}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": say("tool result")}
    picture = {"type": "image", "source": {"type": "url", "url": f"https://x.example/{say('image').replace(' ', '+')}"}}
    return {
        "model": "auto",
        "max_tokens": 64,
        "system": [{"type": "text", "text": f"{say('system')} <CCR-SUBAGENT-MODEL>{say('tag')}</CCR-SUBAGENT-MODEL>"}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": say("first")}, picture]},
            {"role": "assistant", "content": [{"type": "text", "text": say("assistant")}, use]},
            {"role": "user", "content": [result, {"type": "text", "text": f"{say('last')} spare my purse"}]},
        ],
        "tools": [
            {"name": "Read", "description": say("description"), "input_schema": schema},
            {"name": say("tool name"), "input_schema": {"type": "object"}},
        ],
        "stop_sequences": [say("stop")],
        "metadata": {"user_id": say("user")},
    } | more


def chat(say: Prompt, **more: Any) -> dict[str, Any]:
    function = {"name": say("tool name"), "description": say("description"), "parameters": {"type": "object"}}
    call = {"id": "call_1", "type": "function", "function": {"name": "Read", "arguments": json.dumps(say("arguments"))}}
    return {
        "model": "auto",
        "messages": [
            {
                "role": "system",
                "content": f"{say('system')} <CCR-SUBAGENT-MODEL>a {say('tag')}, b</CCR-SUBAGENT-MODEL>",
            },
            {"role": "user", "content": say("first")},
            {"role": "assistant", "content": say("assistant"), "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": say("tool result")},
            {"role": "user", "content": f"{say('last')} spare my purse"},
        ],
        "tools": [{"type": "function", "function": function}],
        "user": say("user"),
    } | more


def responses(say: Prompt, **more: Any) -> dict[str, Any]:
    call = {"type": "function_call", "call_id": "c1", "name": "Read", "arguments": json.dumps(say("arguments"))}
    return {
        "model": "auto",
        "instructions": say("system"),
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": say("first")}]},
            call,
            {"type": "function_call_output", "call_id": "c1", "output": say("tool result")},
            {"role": "user", "content": [{"type": "input_text", "text": f"{say('last')} spare my purse"}]},
        ],
        "tools": [{"type": "function", "name": say("tool name"), "parameters": {"type": "object"}}],
        "prompt_cache_key": say("cache key"),
        "user": say("user"),
    } | more


APIS: Final = (("/v1/messages", anthropic), ("/v1/chat/completions", chat), ("/v1/responses", responses))


@pytest.fixture(params=[False, True], ids=["not captured", "captured"])
def capture(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def proxy(tmp_path: Path, clean_env: dict[str, str], upstream: Upstream, capture: bool) -> Iterator[RunningProxy]:
    config = write_config(tmp_path, upstream.url)
    with config.open("a") as file:
        file.write(f"{RULES}[records]\ncapture = {str(capture).lower()}\n")
    for name in ("echo", "blind"):
        (tmp_path / "plugins" / f"{name}.wat").write_text(ECHO)
    (tmp_path / "taxonomy" / "frugal.md").write_text(CONCEPT)
    with running({**clean_env, "ONE_KEY": KEY}, "--config", str(config)) as started:
        yield started


def sent(proxy: RunningProxy, upstream: Upstream, say: Prompt) -> list[str]:
    """Ask in every way; the requests' ids."""
    ids = []
    headers = {"x-session-id": say("session"), "user-agent": say("agent"), "x-claude-code-agent-id": say("agent id")}
    echoes = (
        Step(text=say("answer")),
        Step(status=400, message=say("echo"), error_type=say("kind")),
        Step(text=say("answer"), fault="midstream_error", message=say("echo"), error_type=say("kind")),
        Step(text=say("answer"), stop=say("stop reason")),
    )
    strange = (
        {"model": say("model")},
        {"model": f"{say('model')},{say('model')}"},
        {"model": f"one,{say('model')}"},
        {"model": f"one:{say('model')}"},
        {"model": KEY},
    )
    for path, body in APIS:
        asked = [(body(say, stream=stream), step) for stream in (False, True) for step in echoes]
        asked += [(body(say, **names), echoes[0]) for names in strange]
        for data, step in asked:
            upstream.script(step)
            with httpx.stream("POST", proxy.url + path, json=data, headers=headers, timeout=20) as answer:
                ids.append(answer.headers["x-terraphim-request-id"])
                with suppress(httpx.RemoteProtocolError):  # cut, if it failed after its first words
                    answer.read()
            upstream.unscript()
    return ids


def test_words_are_recorded_only_if_they_were_granted(
    proxy: RunningProxy, upstream: Upstream, capture: bool, clean_env: dict[str, str]
) -> None:
    say = Prompt(7)
    ids = sent(proxy, upstream, say)
    proxy.process.terminate()
    proxy.process.wait(10)
    folder = Path(clean_env["HOME"]) / ".local" / "state" / "terraphim-proxy" / "decisions"
    kept = {one.record.request_id: one for one in entries(folder)}
    assert set(ids) <= set(kept)
    runs, seen = say.runs(), set[str]()
    for one in kept.values():
        text = one.plain.decode()
        seen |= {runs[run] for at in range(len(text) - RUN + 1) if (run := text[at : at + RUN]) in runs}
        assert KEY[:RUN] not in text
    assert seen == ({"last"} if capture else set())
    records = [one.record for one in kept.values()]
    assert {outcome.code for record in records for outcome in record.asked} >= {"refused"}
    assert {record.decision.phase for record in records} == {"explicit", "pattern"}
    assert {record.result.status for record in records} >= {200, 400, 404}
    assert all((record.words is not None) == capture for record in records if record.asked)
    assert len({record.inputs.features.session_id for record in records}) < len(records)
