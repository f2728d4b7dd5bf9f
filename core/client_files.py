"""What coding agents' own settings files say that leads them past the proxy. Texts in, words out; pure.

Claude Code lays `env` of its settings over its environment, so a variable there wins over what the shell says. Values
may be keys: they are never quoted here.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from core.client_environment import CUSTOM, ELSEWHERE, NO_KEY, custom_headers

#: A larger settings file is no settings file.
MOST: Final = 4 << 20
MANAGED: Final = Path("/etc/claude-code/managed-settings.json")
#: With these Claude Code asks for this model, whatever the user chooses.
MODELS: Final = ("ANTHROPIC_MODEL", "ANTHROPIC_SMALL_FAST_MODEL", "CLAUDE_CODE_SUBAGENT_MODEL")
#: Variables of settings files that `run` answers with settings of its own.
CONTESTED: Final = ("ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", CUSTOM, *ELSEWHERE)
#: Of these the value may be a secret.
_SECRET: Final = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", CUSTOM)
#: In the state folder: settings of ours that hold a secret, by their hash.
SETTINGS: Final = "claude-settings-{}.json"


class ClaudeSettings(NamedTuple):
    """One settings file: its `env` (text values only), whether it makes keys by a program, and its model."""

    place: str
    env: Mapping[str, str]
    key_helper: bool = False
    model: str = ""
    problem: str = ""


class CodexSettings(NamedTuple):
    """Codex' configuration: whom it asks, and where that is."""

    place: str
    provider: str = ""
    base_url: str = ""
    problem: str = ""


def claude_places(env: Mapping[str, str], home: Path, folder: Path) -> Iterator[Path]:
    """Where Claude Code reads settings, the strongest last."""
    yield Path(env["CLAUDE_CONFIG_DIR"] if env.get("CLAUDE_CONFIG_DIR") else home / ".claude") / "settings.json"
    yield folder / ".claude" / "settings.json"
    yield folder / ".claude" / "settings.local.json"
    yield MANAGED


def codex_place(env: Mapping[str, str], home: Path) -> Path:
    """Where Codex reads its configuration."""
    return Path(env["CODEX_HOME"] if env.get("CODEX_HOME") else home / ".codex") / "config.toml"


def read_claude(place: str, data: bytes) -> ClaudeSettings:
    """Of the file's bytes; what is not as it must be is left out, and said."""
    try:
        told = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ClaudeSettings(place, {}, problem="is not JSON, so Claude Code ignores it")
    if not isinstance(told, dict):
        return ClaudeSettings(place, {}, problem="is no JSON object")
    said = told.get("env")
    variables = said if isinstance(said, dict) else {}
    texts = {name: value if isinstance(value, str) else "set" for name, value in variables.items()}
    model = told.get("model")
    return ClaudeSettings(place, texts, bool(told.get("apiKeyHelper")), model if isinstance(model, str) else "")


def read_codex(place: str, data: bytes) -> CodexSettings:
    """Of the file's bytes, as `read_claude`."""
    try:
        told = tomllib.loads(data.decode())
    except (ValueError, RecursionError):  # TOML's and UTF-8's errors, and an integer without end
        return CodexSettings(place, problem="is not TOML: Codex does not start with it")
    provider = _text(told.get("model_provider"))
    tables = told.get("model_providers")
    table = tables.get(provider) if isinstance(tables, dict) else None
    url = _text(table.get("base_url")) if isinstance(table, dict) else _text(told.get("openai_base_url"))
    return CodexSettings(place, provider or "openai", url)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def overriding(
    files: list[ClaudeSettings], wanted: Mapping[str, str | None], request_class: str = ""
) -> dict[str, str]:
    """What settings on Claude Code's command line must say so that no file's `env` contradicts `wanted` (a variable's
    value, None for one that must be away): they win over every file but the managed one. An empty text is as good as
    away. Headers that a file adds stay, without a credential and with the class.
    """
    said = {name: value for file in files for name, value in file.env.items()}
    answers = {name: wanted.get(name) or "" for name in CONTESTED if name in said}
    if CUSTOM in answers:
        answers[CUSTOM] = custom_headers(said[CUSTOM], request_class)
    return {name: value for name, value in answers.items() if value != said[name]}


def holds_secret(env: Mapping[str, str]) -> bool:
    """Whether some of these settings must not stand where everybody can read them."""
    return any(env.get(name, "") not in {"", NO_KEY} for name in _SECRET)


def settings_argument(env: Mapping[str, str]) -> str:
    """For Claude Code's `--settings`."""
    return msgspec.json.encode({"env": env}).decode()
