from typing import Any

import pytest

from core.client_environment import ELSEWHERE, Target
from core.client_files import ClaudeSettings, CodexSettings
from core.doctor_clients import judge_claude, judge_codex, judge_environment, leads_to, shown
from core.finding import Finding

PROXY = Target("http://127.0.0.1:3456", "127.0.0.1", "key-of-laptop-01")
HERE = {"ANTHROPIC_BASE_URL": PROXY.url, "ANTHROPIC_AUTH_TOKEN": "none-needed"}


def bad(found: list[Finding]) -> dict[str, Finding]:
    assert all(finding.hint for finding in found if not finding.ok), "a fault without a way to mend it"
    return {finding.name: finding for finding in found if not finding.ok}


def environment(env: dict[str, str], keys: tuple[str, ...] = ()) -> dict[str, Finding]:
    found = judge_environment(env, PROXY, keys)
    for value in env.values():
        assert not any(value in each.state + each.hint for each in found if value.startswith("sk-"))
    return bad(found)


def test_what_is_right_is_no_fault() -> None:
    assert environment(HERE) == {}
    assert environment(HERE | {"ANTHROPIC_BASE_URL": "http://localhost:3456/"}) == {}
    assert environment(HERE | {"OPENAI_BASE_URL": "http://127.0.0.1:3456/v1/"}) == {}
    assert environment(HERE | {"ANTHROPIC_AUTH_TOKEN": PROXY.key}, (PROXY.key,)) == {}
    assert environment(HERE | {"HTTP_PROXY": "http://x", "no_proxy": "a, 127.0.0.1"}) == {}
    assert environment({}) == {}


@pytest.mark.parametrize(
    ("more", "name", "fix"),
    [({"ANTHROPIC_BASE_URL": "https://api.anthropic.com"}, "ANTHROPIC_BASE_URL", f"ANTHROPIC_BASE_URL={PROXY.url}"),
     ({"ANTHROPIC_BASE_URL": f"{PROXY.url}/v1"}, "ANTHROPIC_BASE_URL", f"ANTHROPIC_BASE_URL={PROXY.url}"),
     ({"ANTHROPIC_BASE_URL": "http://127.0.0.1:3457"}, "ANTHROPIC_BASE_URL", PROXY.url),
     ({"OPENAI_BASE_URL": PROXY.url}, "OPENAI_BASE_URL", f"OPENAI_BASE_URL={PROXY.url}/v1"),
     ({"ANTHROPIC_API_KEY": "sk-real-canary"}, "ANTHROPIC_API_KEY", "unset ANTHROPIC_API_KEY"),
     ({"ANTHROPIC_AUTH_TOKEN": ""}, "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_AUTH_TOKEN=none-needed"),
     ({"HTTP_PROXY": "http://u:sk-p@x"}, "HTTP_PROXY", "NO_PROXY=127.0.0.1"),
     ({"ALL_PROXY": "x", "NO_PROXY": "a"}, "ALL_PROXY", "NO_PROXY=a,127.0.0.1"),
     ({"ANTHROPIC_CUSTOM_HEADERS": "x-api-key: sk-z"}, "ANTHROPIC_CUSTOM_HEADERS", "take it out"),
     *(({name: "1"}, name, f"unset {name}") for name in ELSEWHERE)],
)  # fmt: skip
def test_each_trap_is_named_with_what_mends_it(more: dict[str, str], name: str, fix: str) -> None:
    found = environment(HERE | more)
    assert list(found) == [name]
    assert fix in found[name].hint


def test_a_key_that_the_proxy_does_not_know() -> None:
    assert list(environment(HERE, (PROXY.key,))) == ["ANTHROPIC_AUTH_TOKEN"]
    assert list(environment({"ANTHROPIC_BASE_URL": PROXY.url, "ANTHROPIC_API_KEY": "sk-x"}, (PROXY.key,))) == [
        "ANTHROPIC_API_KEY"
    ]


def notes(found: list[Finding]) -> dict[str, str]:
    return {finding.name: finding.state for finding in found if finding.note}


def test_pinned_models_are_said() -> None:
    env = HERE | {"ANTHROPIC_MODEL": "openrouter,x", "CLAUDE_CODE_SUBAGENT_MODEL": "opus\x1b[2J"}
    told = notes(judge_environment(env, PROXY, ()))
    assert "no phase can change" in told["ANTHROPIC_MODEL"]
    assert "\x1b" not in told["CLAUDE_CODE_SUBAGENT_MODEL"]


def test_settings_of_claude_code() -> None:
    hostile: dict[str, Any] = {"ANTHROPIC_BASE_URL": "http://evil.test", "ANTHROPIC_API_KEY": "sk-canary", "FOO": "1"}
    files = [
        ClaudeSettings("a", hostile),
        ClaudeSettings("b", {"ANTHROPIC_BASE_URL": PROXY.url, "ANTHROPIC_AUTH_TOKEN": PROXY.key}),
        ClaudeSettings("c", {}, problem="is not JSON"),
        ClaudeSettings("d", {}, key_helper=True, model="a,b"),
    ]
    found = list(judge_claude(files, PROXY, (PROXY.key,)))
    assert list(bad(found)) == ["a", "c"]
    assert "ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY" in bad(found)["a"].state
    assert not any("sk-canary" in each.state + each.hint or "evil" in each.state for each in found)
    assert {"d", "d model"} <= notes(found).keys()


@pytest.mark.parametrize(("keys", "ok"), [((PROXY.key, "key-of-ci-0123456"), True), ((), True), ((PROXY.key,), False)])
def test_a_settings_file_may_hold_any_key_that_the_proxy_takes(keys: tuple[str, ...], ok: bool) -> None:
    file = ClaudeSettings("a", {"ANTHROPIC_AUTH_TOKEN": "key-of-ci-0123456"})
    assert (bad(list(judge_claude([file], PROXY, keys))) == {}) is ok


@pytest.mark.parametrize(
    ("file", "ok", "note"),
    [(CodexSettings("f", "openai"), True, True),
     (CodexSettings("f", "x", "https://u:sk-p@elsewhere.test/v1"), True, True),
     (CodexSettings("f", "x", f"{PROXY.url}/v1"), True, False), (CodexSettings("f", "x", PROXY.url), False, False),
     (CodexSettings("f", problem="is not TOML"), False, False)],
)  # fmt: skip
def test_configuration_of_codex(file: CodexSettings, ok: bool, note: bool) -> None:
    found = judge_codex(file, PROXY)
    assert (found.ok, found.note) == (ok, note)
    assert "sk-p" not in found.state + found.hint


def test_addresses() -> None:
    assert leads_to("http://localhost:3456/v1", PROXY.url)
    assert leads_to("http://[::1]:3456", PROXY.url)
    for url in (
        "https://127.0.0.1:3456",
        "http://10.0.0.1:3456",
        "http://127.0.0.1:99999",
        "",
        "http://[",
        "127.0.0.1:3456",
    ):
        assert not leads_to(url, PROXY.url), url
    assert shown("https://user:sk-secret@host:1/sk-path?key=sk-q") == "host:1"
    for url in ("", "http://[", "http://h:x"):
        assert shown(url) == "an address that is none"
