import shutil
import subprocess
import tomllib

import pytest

from core.client_environment import (
    CUSTOM,
    ELSEWHERE,
    KEY_VARIABLE,
    Change,
    Target,
    changes,
    codex_arguments,
    custom_headers,
    excepting,
    kind_of,
    shell_lines,
)

PROXY = Target("http://127.0.0.1:3456", "127.0.0.1", "key-of-client")


def after(env: dict[str, str], kind: str, **more: str) -> dict[str, str]:
    """What the client finds."""
    found = dict(env)
    for name, value in changes(env, PROXY, kind, **more):  # type: ignore[arg-type]
        if value is None:
            del found[name]
        else:
            found[name] = value
    return found


@pytest.mark.parametrize(
    ("program", "kind"),
    [("claude", "claude"), ("/x/bin/claude", "claude"), ("codex", "codex"), ("C:\\x\\Codex.exe", "codex"),
     ("claudette", "any"), ("python3.11", "any"), ("", "any")],
)  # fmt: skip
def test_a_client_is_known_by_its_name(program: str, kind: str) -> None:
    assert kind_of(program) == kind


def test_claude_code_gets_one_credential_and_nothing_that_leads_elsewhere() -> None:
    env = {"PATH": "/bin", "ANTHROPIC_API_KEY": "sk-real", "OPENAI_API_KEY": "sk-other", "ANTHROPIC_MODEL": "opus"}
    assert after(env | dict.fromkeys(ELSEWHERE, "1"), "claude") == {
        "PATH": "/bin",
        "OPENAI_API_KEY": "sk-other",  # what Claude Code starts may need it
        "ANTHROPIC_MODEL": "opus",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:3456",
        "ANTHROPIC_AUTH_TOKEN": "key-of-client",
        "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1",
    }


def test_codex_gets_a_key_under_a_name_of_its_own() -> None:
    assert after({"OPENAI_API_KEY": "sk-real"}, "codex") == {"OPENAI_API_KEY": "sk-real", KEY_VARIABLE: PROXY.key}


def test_any_other_program_may_use_any_sdk() -> None:
    found = after({"OPENAI_API_KEY": "sk-real", "ANTHROPIC_API_KEY": "sk-real"}, "any")
    assert found["OPENAI_BASE_URL"] == found["OPENAI_API_BASE"] == "http://127.0.0.1:3456/v1"
    assert "sk-real" not in found.values()


def test_what_is_right_already_is_no_change() -> None:
    env = after({}, "any")
    assert changes(env, PROXY, "any") == []


def test_a_class_is_a_header_of_every_request_and_takes_the_place_of_claude_codes_own_word() -> None:
    env = {CUSTOM: "x-a: 1\nX-Claude-Code-Request-Class: main\nAuthorization: Bearer sk-real\nx-api-key: sk-real"}
    found = after(env | {"CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1"}, "claude", request_class="auxiliary")
    assert found[CUSTOM] == "x-a: 1\nx-claude-code-request-class: auxiliary"
    assert "CLAUDE_CODE_GATEWAY_HINT_HEADERS" not in found
    assert custom_headers(env[CUSTOM], "") == "x-a: 1\nX-Claude-Code-Request-Class: main"
    assert CUSTOM not in after({CUSTOM: "x-api-key: sk-real"}, "claude")


@pytest.mark.parametrize("bad", ["a b", "a\nx: 1", "A", "a" * 33, "-"])
def test_a_class_is_a_word(bad: str) -> None:
    with pytest.raises(ValueError, match="no class"):
        changes({}, PROXY, "claude", request_class=bad)


@pytest.mark.parametrize(
    ("env", "said"),
    [({}, "127.0.0.1"), ({"NO_PROXY": "a, b"}, "a,b,127.0.0.1"), ({"no_proxy": "*"}, "*"),
     ({"NO_PROXY": "127.0.0.1,x", "no_proxy": "y"}, "127.0.0.1,x")],
)  # fmt: skip
def test_no_proxy_on_the_way_to_this_one(env: dict[str, str], said: str) -> None:
    assert excepting(env, "127.0.0.1") == said
    found = after(env | {"ALL_PROXY": "http://x:1"}, "claude")
    assert found["NO_PROXY"] == found["no_proxy"] == said
    assert "NO_PROXY" not in after({}, "claude")


def test_codex_is_told_on_its_command_line() -> None:
    hostile = 'http://127.0.0.1:1/"x'
    arguments = codex_arguments(hostile, [], request_class="auxiliary")
    assert arguments[-2:] == ["-c", 'model="auto"']  # `-m` would not reach a subcommand
    name, _, value = arguments[1].partition("=")
    assert name == "model_providers.terraphim"
    assert tomllib.loads(f"v = {value}")["v"] == {
        "name": "terraphim",
        "base_url": f"{hostile}/v1",
        "env_key": KEY_VARIABLE,
        "http_headers": {"x-claude-code-request-class": "auxiliary"},
    }
    for given in (["-m", "x"], ["--model=x"], ["exec", "-c", "model=x"], ["--config", "model=x"]):
        assert 'model="auto"' not in codex_arguments("http://h:1", given)
    assert 'model="auto"' in codex_arguments("http://h:1", ["-c", "modelling=x"])


HOSTILE = "a'b\"c\\d $(touch x) `id`\n;e"


@pytest.mark.parametrize("shell", ["sh", "fish"])
def test_a_shell_gets_back_what_it_had(shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    env = {"KEEP": HOSTILE, "GONE": HOSTILE}
    changed = [Change("KEEP", f"new {HOSTILE}"), Change("GONE", None), Change("NEW", HOSTILE)]
    lines = shell_lines(changed, env, shell)  # type: ignore[arg-type]
    show = "env -0"
    script = "\n".join([*lines, show, "printf 'HALF\\0'", "terraphim_off", show])
    done = subprocess.run([program, "-c", script], env=env, capture_output=True, check=True)
    first, _, second = done.stdout.decode().partition("HALF\0")
    now = dict(part.split("=", 1) for part in first.split("\0") if "=" in part)
    then = dict(part.split("=", 1) for part in second.split("\0") if "=" in part)
    assert (now["KEEP"], now["NEW"]) == (f"new {HOSTILE}", HOSTILE)
    assert "GONE" not in now
    assert (then["KEEP"], then["GONE"]) == (HOSTILE, HOSTILE)
    assert "NEW" not in then


def test_no_key_is_printed_for_a_shell() -> None:
    env = {"ANTHROPIC_API_KEY": "sk-real-one"}
    lines = "\n".join(shell_lines(changes(env, PROXY, "any"), env, "sh", '"$MY_KEY"'))
    assert "sk-real-one" not in lines
    assert PROXY.key not in lines
    assert 'export ANTHROPIC_AUTH_TOKEN="$MY_KEY"' in lines


def test_no_change_defines_nothing() -> None:
    assert shell_lines([], {}, "sh") == []
