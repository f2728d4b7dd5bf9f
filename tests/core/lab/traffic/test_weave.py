"""Generated traffic is what it says it is: the same every time, valid, coherent, and with the features it means."""

import hashlib
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from facts import ROOT

from core.dialects import CLIENTS
from core.exchange import Features
from core.features import FeatureSettings, extract
from core.lab.traffic import Mix, Sent, generate
from core.lab.traffic.sent import DIALECTS
from core.rolegraph import Matcher, load_taxonomy
from strict import anthropic, openai, openai_responses

#: What the strict copies of the providers' checks say of what only the real provider can judge, or takes from this
#: client alone: reasoning that it has sealed itself, and messages of the system's between the others.
NOT_OURS = re.compile(r"The encrypted content|messages\.\d+\.role: Input should be 'user' or 'assistant'")
JUDGES = {"anthropic": anthropic, "openai": openai, "openai-responses": openai_responses}


@pytest.fixture(scope="module")
def many() -> tuple[Sent, ...]:
    return tuple(generate(2, 2_000))


def features_of(sent: Sent) -> Features:
    request = CLIENTS[DIALECTS[sent.endpoint]].decode_request(sent.body)
    return extract(request, sent.headers, token_count=0, settings=FeatureSettings(), client_key=sent.client_key)


def digest(seed: int, requests: int) -> str:
    whole = hashlib.sha256()
    for sent in generate(seed, requests):
        whole.update(msgspec.json.encode(sent, order="deterministic"))
    return whole.hexdigest()


def test_the_same_seed_gives_the_same_bytes_in_any_process() -> None:
    program = (
        "import hashlib, msgspec\nfrom core.lab.traffic import generate\nwhole = hashlib.sha256()\n"
        "for sent in generate(5, 300):\n    whole.update(msgspec.json.encode(sent, order='deterministic'))\n"
        "print(whole.hexdigest())"
    )
    env = {"PYTHONHASHSEED": "12345", "LC_ALL": "C", "TZ": "Asia/Tokyo"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, cwd=ROOT, env=env)
    assert done.stdout.decode().strip() == digest(5, 300) != digest(6, 300)


def test_the_first_of_many_are_those_of_few(many: tuple[Sent, ...]) -> None:
    assert tuple(generate(2, 200)) == many[:200]


def test_every_body_is_one_that_the_providers_take(many: tuple[Sent, ...]) -> None:
    found: Counter[str] = Counter()
    for sent in many[:700]:
        headers = sent.headers | {"x-api-key": "k", "authorization": "Bearer k"}
        judge = JUDGES[DIALECTS[sent.endpoint]]
        found.update(judge.problems(sent.endpoint, headers, msgspec.json.decode(sent.body)))
    assert [problem for problem in found if not NOT_OURS.match(problem)] == []


def test_the_features_are_those_that_were_meant(many: tuple[Sent, ...]) -> None:
    for sent in many:
        facts = features_of(sent)
        assert facts.image_in_last_turn == ("image" in sent.marks)
        assert facts.effort in {"high", "xhigh", "max"} if "effort" in sent.marks else facts.effort not in {"high"}
        assert facts.plan_mode == ("plan" in sent.marks) or sent.kind == "compaction"
        assert facts.tool_loop == (sent.kind == "tools") or sent.kind in {"subagent", "compaction"}
        assert facts.subagent == (sent.kind == "subagent")
        assert facts.web_search == (sent.kind == "search")
        assert facts.background == (sent.kind in {"title", "permission", "aside"}) or hinted(sent) or is_small(facts)
        assert not sent.session or facts.session_id == sent.session or sent.kind == "chat"
        if "long" in sent.marks:
            assert len(sent.body) > Mix().long_chars


def hinted(sent: Sent) -> bool:
    return sent.kind in {"compaction", "search"} and "x-claude-code-request-class" in sent.headers


def is_small(facts: Features) -> bool:
    return facts.agent == "anthropic-sdk" and "haiku" in facts.model


def test_words_name_the_concept_that_they_should_and_decoys_none(many: tuple[Sent, ...]) -> None:
    matcher = Matcher(load_taxonomy(ROOT / "taxonomy"))
    said = {
        features_of(sent).last_user: sent
        for sent in many
        if sent.kind in {"prompt", "chat"} and "long" not in sent.marks
    }
    for text, sent in said.items():
        found = matcher.routing(text)
        assert (found[0].concept if found else "") == sent.concept, text
    named = Counter(sent.concept for sent in said.values())
    assert 0.02 < sum(named[concept] for concept in named if concept) / len(said) < 0.3
    assert len(named) > 10
    assert any("use_opus_for_planning" in text for text in said)


def test_all_that_clients_do_is_there(many: tuple[Sent, ...]) -> None:
    kinds, marks = Counter(sent.kind for sent in many), Counter(mark for sent in many for mark in sent.marks)
    assert set(kinds) == {
        "prompt", "tools", "subagent", "title", "permission", "search", "aside", "compaction", "chat",
    }  # fmt: skip
    assert set(marks) == {"image", "plan", "long", "effort"}
    assert {sent.endpoint for sent in many} == set(DIALECTS)
    assert {features_of(sent).agent for sent in many} == {"claude-code", "codex", "openai-sdk", "anthropic-sdk"}
    assert len({sent.client_key for sent in many}) == Mix().keys
    assert {True, False} == {features_of(sent).stream for sent in many}
    assert sum(len(sent.body) for sent in many) / len(many) < 60_000


def test_sessions_go_on_side_by_side_by_one_clock(many: tuple[Sent, ...]) -> None:
    assert all(before.at_ms <= after.at_ms for before, after in pairwise(many))
    neighbours = sum(before.session != after.session for before, after in pairwise(many))
    assert neighbours > len(many) // 2


def test_a_conversation_grows_and_keeps_its_beginning(many: tuple[Sent, ...]) -> None:
    seen: dict[str, tuple[tuple[str, int], ...]] = {}
    grown = 0
    for sent in many:
        if sent.kind not in {"prompt", "tools"}:
            continue
        before = seen.get(sent.session, ())
        same = sent.prompt[: len(before)] == before
        assert same or sent.prompt[1][0] != before[1][0]  # compacted
        grown += same and bool(before)
        seen[sent.session] = sent.prompt
    assert grown > 800


def test_every_result_answers_a_call_of_the_turn_before(many: tuple[Sent, ...]) -> None:
    checked = 0
    for sent in many[:600]:
        if sent.kind != "tools" or sent.endpoint != "/v1/messages":
            continue
        messages: list[dict[str, Any]] = msgspec.json.decode(sent.body)["messages"]
        for before, after in pairwise(each for each in messages if each["role"] != "system"):
            calls = ids(before, "tool_use", "id")
            assert calls == ids(after, "tool_result", "tool_use_id")
            checked += len(calls)
    assert checked > 500


def ids(message: dict[str, Any], kind: str, field: str) -> list[str]:
    content = message["content"] if isinstance(message["content"], list) else []
    return [block[field] for block in content if block["type"] == kind]


def test_usage_is_that_of_a_provider_whose_cache_holds_the_conversation(many: tuple[Sent, ...]) -> None:
    read = sum(sent.usage.cache_read for sent in many)
    whole = sum(sent.usage.cache_read + sent.usage.cache_write + sent.usage.input for sent in many)
    assert 0.5 < read / whole < 0.95
    assert all(sent.usage.output == sent.output > 0 for sent in many)


def test_targets_are_asked_for_by_name_where_the_mix_has_some() -> None:
    mix = Mix(claude_code=0, codex=0, explicit=("one,model",), explicit_share=0.5)
    models = Counter("explicit" in sent.marks and features_of(sent).model for sent in generate(1, 200, mix))
    assert set(models) == {False, "one,model"}


@pytest.mark.parametrize("mix", [Mix(users=0), Mix(keys=0), Mix(claude_code=0, codex=0, sdk=0)])
def test_a_mix_needs_somebody_who_asks(mix: Mix) -> None:
    with pytest.raises(ValueError, match="users, keys and sessions"):
        next(generate(1, 1, mix))
