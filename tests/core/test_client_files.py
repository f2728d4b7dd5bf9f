import msgspec
import pytest
from facts import ROOT

from core.client_environment import CLASS_HEADER, CUSTOM
from core.client_files import (
    ClaudeSettings,
    CodexSettings,
    claude_places,
    codex_place,
    holds_secret,
    overriding,
    read_claude,
    read_codex,
    settings_argument,
)


def test_places_by_the_environment() -> None:
    home, folder = ROOT / "home", ROOT / "project"
    places = [str(place.relative_to(ROOT)) for place in list(claude_places({}, home, folder))[:-1]]
    assert places == [
        "home/.claude/settings.json",
        "project/.claude/settings.json",
        "project/.claude/settings.local.json",
    ]
    assert next(claude_places({"CLAUDE_CONFIG_DIR": "/elsewhere"}, home, folder)).parent.name == "elsewhere"
    assert codex_place({}, home) == home / ".codex" / "config.toml"
    assert codex_place({"CODEX_HOME": "/elsewhere"}, home).parent.name == "elsewhere"


def test_claude_codes_settings() -> None:
    data = b'{"env": {"A": "x", "B": 1, "C": null}, "apiKeyHelper": "/bin/helper", "model": "opus"}'
    assert read_claude("f", data) == ClaudeSettings("f", {"A": "x", "B": "set", "C": "set"}, True, "opus")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b"[" * 100_000, b"1"])
def test_settings_that_are_none(data: bytes) -> None:
    found = read_claude("f", data)
    assert (found.env, bool(found.problem)) == ({}, True)


@pytest.mark.parametrize("data", [b'{"env": []}', b'{"env": {}, "model": {}}', b"{}"])
def test_settings_that_say_nothing(data: bytes) -> None:
    assert read_claude("f", data) == ClaudeSettings("f", {})


def test_codex_settings() -> None:
    own = b'model_provider = "x"\n[model_providers.x]\nbase_url = "http://h/v1"\n'
    assert read_codex("f", own) == CodexSettings("f", "x", "http://h/v1")
    assert read_codex("f", b'openai_base_url = "http://h"') == CodexSettings("f", "openai", "http://h")
    assert read_codex("f", b"model_provider = 1\nmodel_providers = 2\nopenai_base_url = 3") == CodexSettings(
        "f", "openai"
    )
    for data in (b"[", b"\xff", b"a = " + b"[" * 10_000, b"a = " + b"1" * 5000):
        assert read_codex("f", data).problem


def test_what_files_say_is_answered_and_no_more() -> None:
    files = [
        ClaudeSettings("a", {"ANTHROPIC_BASE_URL": "http://evil", "FOO": "1"}),
        ClaudeSettings("b", {"ANTHROPIC_API_KEY": "sk"}),
    ]
    wanted = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:1", "ANTHROPIC_API_KEY": None, "ANTHROPIC_AUTH_TOKEN": "k"}
    over = overriding(files, wanted)
    assert over == {"ANTHROPIC_BASE_URL": "http://127.0.0.1:1", "ANTHROPIC_API_KEY": ""}
    assert msgspec.json.decode(settings_argument(over)) == {"env": over}
    assert overriding([ClaudeSettings("a", {"FOO": "1"})], wanted) == {}
    agreed = ClaudeSettings("c", {"ANTHROPIC_BASE_URL": "http://127.0.0.1:1", "ANTHROPIC_API_KEY": ""})
    assert overriding([*files, agreed], wanted) == {}


def test_headers_of_a_file_stay_but_for_credentials() -> None:
    file = ClaudeSettings("a", {CUSTOM: "x-team: a\nx-api-key: sk"})
    assert overriding([file], {}) == {CUSTOM: "x-team: a"}
    assert overriding([file], {}, "auxiliary") == {CUSTOM: f"x-team: a\n{CLASS_HEADER}: auxiliary"}
    assert overriding([ClaudeSettings("a", {CUSTOM: "x-team: a"})], {}) == {}


def test_what_may_be_a_secret() -> None:
    for env in ({"ANTHROPIC_AUTH_TOKEN": "k"}, {"ANTHROPIC_API_KEY": "k"}, {CUSTOM: "x: y"}):
        assert holds_secret(env)
    assert not holds_secret({"ANTHROPIC_AUTH_TOKEN": "none-needed", "ANTHROPIC_API_KEY": "", "ANTHROPIC_BASE_URL": "u"})
