"""A request made ready for a provider of its own dialect: who signs what."""

import json
from pathlib import Path

import pytest

from core.config_file import parse
from core.dialects import CLIENTS, PROVIDERS
from core.dialects.whole import changed
from core.exchange import Candidate, Target
from core.messages import Block, Response
from core.preparing import Ready, prepare
from core.rolegraph import Taxonomy
from core.routing.snapshot import build
from core.transformers import chain
from wasm_host.rule import RuleSet

BILLED = [{"type": "text", "text": "x-anthropic-billing-header: x"}, {"type": "text", "text": "Be brief."}]


def ready(base_url: str, *, signed: bool, signature: str = "", thinking: str = "enabled") -> Ready:
    content = [{"type": "thinking", "thinking": "hm", "signature": signature}, {"type": "text", "text": "a"}]
    body = {
        "model": "m",
        "max_tokens": 9000,
        "system": BILLED,
        "thinking": {"type": thinking, "budget_tokens": 2000},
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": content},
            {"role": "user", "content": "go"},
        ],
    }
    client = CLIENTS["anthropic"]
    request = client.decode_request(json.dumps(body).encode())
    candidate = Candidate(Target("here", "m"))
    return prepare(request, client, PROVIDERS["anthropic"], candidate, chain([]), base_url, signed=signed)


def signatures(made: Ready) -> list[str]:
    content = json.loads(made.body)["messages"][1]["content"]
    return [block["signature"] for block in content if block["type"] == "thinking"]


ANTHROPIC, COPY = "https://api.anthropic.com", "https://api.deepseek.com/anthropic"


@pytest.mark.parametrize(
    ("base_url", "signature", "kept"),
    [
        (ANTHROPIC, "sig", ["sig"]),
        (ANTHROPIC, "", []),
        (ANTHROPIC, "tp1.here.", []),
        (ANTHROPIC, "tp1.other.sig", []),
        ("https://anthropic.com.evil.example", "", [""]),
        (COPY, "", [""]),
        (COPY, "tp1.here.sig", ["sig"]),
        (COPY, "tp1.here.", [""]),
        (COPY, "tp1.other.sig", []),
    ],
)
def test_what_goes_back_to_whom(base_url: str, signature: str, kept: list[str]) -> None:
    assert signatures(ready(base_url, signed=True, signature=signature)) == kept


def test_a_copys_reasoning_is_sealed_where_others_sign_too() -> None:
    answer = Response(id="m", model="m", content=[Block(type="thinking", thinking="t", signature="s")], stop_reason="x")
    [block] = changed(answer, ready(COPY, signed=True).changes).content
    assert block.signature == "tp1.here.s"
    for other in (
        ready(COPY, signed=False),
        ready(ANTHROPIC, signed=True),
        ready(COPY, signed=True, thinking="disabled"),
    ):
        assert other.changes == []


def test_the_billing_line_is_for_anthropic_alone() -> None:
    assert b"billing" in ready(ANTHROPIC, signed=False).body
    assert json.loads(ready(COPY, signed=False).body)["system"] == BILLED[1:]


@pytest.mark.parametrize(("urls", "differ"), [([ANTHROPIC], False), ([COPY], False), ([ANTHROPIC, COPY], True)])
def test_signers_differ_where_several_hosts_speak_the_dialect(urls: list[str], differ: bool) -> None:
    tables = [f'[providers.p{n}]\ndialect = "anthropic"\nbase_url = "{url}"\n' for n, url in enumerate(urls)]
    other = '[providers.other]\ndialect = "openai"\nbase_url = "https://x.example"\n[routing]\ndefault = "p0,m"\n'
    assert build(parse("".join(tables) + other, Path("c.toml")), Taxonomy(), RuleSet()).signers_differ == differ
