"""Lists of transformers: what is a mistake, what order holds, and what the command says of them."""

from pathlib import Path

import pytest
from command import Cli

from core.config_file import parse
from core.errors import ConfigError
from core.exchange import Candidate, Target
from core.messages import Message, Request
from core.rolegraph import Taxonomy
from core.routing.snapshot import build
from core.transformers import TRANSFORMERS, Facts, chain, mistakes
from wasm_host.rule import RuleSet

CONFIG = """\
[providers.p]
dialect = "{dialect}"
base_url = "https://p.example/v1"
any_model = true
transformers = {provider}
[providers.p.models.m]
transformers = {model}
[routing]
default = "p,m"
"""


def facts(dialect: str = "openai") -> Facts:
    request = Request(dialect=dialect, raw=b"{}", model="m", messages=[Message(role="user", content=[])])
    return Facts(dialect, request, Candidate(Target("p", "m")))


@pytest.mark.parametrize(
    ("entry", "dialect", "wrong"),
    [
        ("openruter", "openai", "unknown transformer 'openruter'; did you mean 'openrouter' or 'openai'?"),
        ("zzz", "openai", f"unknown transformer 'zzz'; known: {', '.join(TRANSFORMERS)}"),
        ({"name": "maxtoken"}, "openai", "maxtoken: missing option max_tokens"),
        (
            {"name": "maxtoken", "max_token": 3},
            "openai",
            "maxtoken: unknown option 'max_token'; did you mean 'max_tokens'?",
        ),
        ({"name": "groq", "x": 3}, "openai", "groq: unknown option 'x'; it has none"),
        ({"name": "maxtoken", "max_tokens": "x"}, "openai", "maxtoken: max_tokens: Expected int, got str"),
        ({"name": "maxtoken", "max_tokens": True}, "openai", "maxtoken: max_tokens: Expected int, got bool"),
        ({"name": "maxtoken", "max_tokens": 0}, "openai", "maxtoken: max_tokens: Expected int >= 1"),
        (3, "openai", 'a transformer is a name, or a table with one: { name = "maxtoken", max_tokens = 8192 }'),
        ({"nam": "groq"}, "", 'a transformer is a name, or a table with one: { name = "maxtoken", max_tokens = 8192 }'),
        ("groq", "anthropic", "groq: is for the dialects openai, and this one is anthropic"),
        ("maxtoken", "loopback", "maxtoken: missing option max_tokens"),
        (
            {"name": "sampling", "repetition_penalty": 1.0},
            "anthropic",
            "sampling: the dialect anthropic has no repetition_penalty",
        ),
        ("customparams", "openai", "customparams: give the members that it adds, e.g. top_k = 20"),
        ("ollama", "ollama", "ollama: give num_ctx or keep_alive"),
        (
            {"name": "ollama", "keep_alive": "1h"},
            "openai",
            'ollama: on the dialect openai it takes num_ctx alone; for more set dialect = "ollama"',
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_what_would_be_right(entry: object, dialect: str, wrong: str) -> None:
    assert mistakes([entry], dialect) == [wrong]


def settings(provider: str = "[]", model: str = "[]", dialect: str = "openai") -> str:
    return CONFIG.format(provider=provider, model=model, dialect=dialect)


def test_the_configuration_says_where_a_mistake_is() -> None:
    with pytest.raises(ConfigError) as refused:
        parse(settings('["groq", "grok"]', '[{ name = "maxtoken", max_tokens = -1 }]'), Path("c.toml"))
    found = [(problem.line, problem.message) for problem in refused.value.problems]
    assert found == [
        (5, "providers.p.transformers: unknown transformer 'grok'; did you mean 'groq'?"),
        (7, "providers.p.models.m.transformers: maxtoken: max_tokens: Expected int >= 1"),
    ]


def test_the_configuration_says_what_does_not_fit_the_dialect() -> None:
    with pytest.raises(ConfigError) as refused:
        parse(settings('["cleancache"]', '["groq"]', dialect="anthropic"), Path("c.toml"))
    assert [problem.message for problem in refused.value.problems] == [
        "providers.p: transformers: models.m: groq: is for the dialects openai, and this one is anthropic"
    ]


def test_the_providers_come_first_and_the_models_take_their_place() -> None:
    text = settings(
        '["groq", { name = "maxtoken", max_tokens = 5 }]', '["cleancache", { name = "maxtoken", max_tokens = 9 }]'
    )
    snapshot = build(parse(text, Path("c.toml")), Taxonomy(), RuleSet())
    listed = snapshot.transformers(Target("p", "m")).uses
    assert [use.transformer.name for use in listed] == ["groq", "cleancache", "maxtoken"]
    assert listed[2].options.max_tokens == 9
    other = snapshot.transformers(Target("p", "any-other")).uses
    assert [(use.transformer.name, getattr(use.options, "max_tokens", None)) for use in other] == [
        ("groq", None),
        ("maxtoken", 5),
    ]


def test_transformers_are_part_of_the_snapshots_id() -> None:
    ids = {
        build(parse(settings(listed), Path("c.toml")), Taxonomy(), RuleSet()).id
        for listed in ("[]", '["groq"]', '["cleancache"]')
    }
    assert len(ids) == 3


def test_the_order_given_holds() -> None:
    cap, custom = {"name": "maxtoken", "max_tokens": 5}, {"name": "customparams", "max_tokens": 9}
    assert chain([custom, cap]).body(b"{}", facts()) == b'{"max_tokens":5}'
    assert chain([cap, custom]).body(b"{}", facts()) == b'{"max_tokens":9}'


def test_untouched_bytes_stay() -> None:
    body = b'{ "a" : 1.50,"messages":[ {"role":"user","content":"h\\u0069"} ] , "max_tokens": 10 }'
    assert chain(["groq", "openrouter", "cleancache", "openai"]).body(body, facts()) == body
    capped = chain([{"name": "maxtoken", "max_tokens": 5}]).body(body, facts())
    assert capped == body.replace(b"10", b"5")


@pytest.mark.parametrize(
    ("auth", "headers"),
    [
        ("bearer", {"anthropic-version": "1", "authorization": "Bearer k"}),
        ("x-api-key", {"anthropic-version": "1", "x-api-key": "k"}),
        (None, {"anthropic-version": "1", "x-api-key": "k", "authorization": "Bearer k"}),
    ],
)
def test_the_key_goes_into_one_header(auth: str | None, headers: dict[str, str]) -> None:
    entry = {"name": "anthropic", **({"auth": auth} if auth else {})}
    sent = {"anthropic-version": "1", "x-api-key": "k", "authorization": "Bearer k"}
    assert chain([entry]).headers(sent) == headers
    assert chain([entry]).headers({"authorization": "Bearer k"}) == (
        {"x-api-key": "k"} if auth == "x-api-key" else {"authorization": "Bearer k"}
    )
    assert chain([entry]).headers({"anthropic-version": "1"}) == {"anthropic-version": "1"}


def test_app_attribution_goes_into_headers() -> None:
    entry = {"name": "openrouter", "app_url": "https://me.example", "app_title": "Mine"}
    assert chain([entry]).headers({"a": "b"}) == {"a": "b", "http-referer": "https://me.example", "x-title": "Mine"}


def test_the_command_lists_the_table(clean_env: dict[str, str], tmp_path: Path) -> None:
    cli = Cli(clean_env, tmp_path)
    code, rows = cli.json("transformers")
    assert code == 0
    assert [row["name"] for row in rows] == list(TRANSFORMERS)
    by_name = {row["name"]: row for row in rows}
    assert by_name["tooluse"]["sides"] == ["request", "answer"]
    assert by_name["extrathinktag"]["options"] == {
        "tag": 'string, default "think"',
        "inside": "boolean, default false",
    }
    assert by_name["openai-responses"]["options"] == {"summary": '"auto" | "concise" | "detailed"'}
    _, lines, _ = cli("transformers")
    assert all(f"\n{row['name']} " in f"\n{lines}" and row["about"] in lines for row in rows)
