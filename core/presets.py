"""The providers that are known without configuration, and the configuration that serves when there is none."""

import tomllib
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from core.errors import ConfigError, Problem
from core.exchange import Target
from core.schema import Settings

_FILE = Path(__file__).parent / "_data" / "providers.toml"
#: Keys of a preset that are ours and not a provider's setting.
_OURS = {"key_env", "local"}


@cache
def _presets() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text("utf-8"))


def key_variables() -> dict[str, str]:
    """Provider name to the environment variable that usually holds its key."""
    return {name: preset["key_env"] for name, preset in _presets()["providers"].items() if "key_env" in preset}


def local_providers(ollama_host: str = "") -> dict[str, str]:
    """Name to base URL of the presets that need no key but a running server. `ollama_host` is `$OLLAMA_HOST`."""
    urls = {name: preset["base_url"] for name, preset in _presets()["providers"].items() if preset.get("local")}
    if ollama_host:
        address = urlsplit(ollama_host if "://" in ollama_host else f"http://{ollama_host}")
        # The variable is the server's too: "listen everywhere" means that loopback answers.
        host = "127.0.0.1" if address.hostname in {None, "0.0.0.0", "::"} else address.hostname  # noqa: S104
        shown = f"[{host}]" if ":" in str(host) else host
        urls["ollama"] = f"{address.scheme}://{shown}:{address.port or 11434}"
    return urls


def preset_names() -> list[str]:
    """Of the providers that need no more than their name."""
    return list(_presets()["providers"])


def preset(name: str) -> dict[str, Any] | None:
    """A provider's preset as its `[providers.NAME]` table, or None."""
    found = _presets()["providers"].get(name)
    return found and {key: deepcopy(value) for key, value in found.items() if key not in _OURS}


def embedded(reachable: set[str], overrides: Mapping[str, Any], *, ollama_host: str = "") -> Settings:
    """The settings of a start without a configuration.

    With nothing reachable, every preset is defined and simulated; otherwise only the reachable ones, and each part
    (default, background, …) is played by the first of its targets that can be reached.
    """
    data = _presets()
    names = [name for name in preset_names() if not reachable or name in reachable]
    providers = {name: preset(name) for name in names}
    if "ollama" in reachable:
        providers["ollama"] = {**(providers["ollama"] or {}), "base_url": local_providers(ollama_host)["ollama"]}
    parts = {part: [t for t in targets if Target.parse(t).provider in names] for part, targets in data["parts"].items()}
    default = parts.pop("default")[0]
    fallback = [target for target in parts.pop("fallback") if target != default][:2]
    runtime = {part: targets[0] for part, targets in parts.items() if targets}
    config: dict[str, Any] = {
        "providers": providers,
        "routing": {"default": default, "fallback": fallback, "runtime": runtime},
    }
    merge(config, overrides)
    try:
        return Settings.model_validate({**config, "simulated": not reachable})
    except ValidationError as exc:
        raise ConfigError([_problem(error) for error in exc.errors()]) from None


def _problem(error: Mapping[str, Any]) -> Problem:
    name = ".".join(map(str, error["loc"]))
    message = "unknown key" if error["type"] == "extra_forbidden" else error["msg"].removeprefix("Value error, ")
    return Problem("environment", 0, f"TERRAPHIM_* variables: {name}: {message}")


def merge(base: dict[str, Any], extra: Mapping[str, Any]) -> None:
    """Deep merge in place; `extra` wins."""
    for key, value in extra.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            merge(base[key], value)
        else:
            base[key] = value


def complete(providers: object) -> None:
    """Fill, in place, what `[providers.NAME]` tables leave out from the preset of the same name and dialect."""
    for name, table in providers.items() if isinstance(providers, dict) else ():
        known = _openai_side(preset(name), table) if name == "ollama" else preset(name)
        if known and isinstance(table, dict) and table.get("dialect", known["dialect"]) == known["dialect"]:
            for key, value in known.items():
                table.setdefault(key, value)


def _openai_side(known: dict[str, Any] | None, table: object) -> dict[str, Any] | None:
    """Ollama's preset, in OpenAI's dialect for a table that names it or its path: Ollama has both."""
    if known is None or not isinstance(table, dict):
        return known
    by_address = "dialect" not in table and str(table.get("base_url", "")).rstrip("/").endswith("/v1")
    if by_address or table.get("dialect") == "openai":
        return known | {"dialect": "openai", "base_url": f"{known['base_url']}/v1"}
    return known
