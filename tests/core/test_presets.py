from typing import Any

import pytest

from core.presets import complete, embedded, key_variables, local_providers, preset
from core.schema import ModelCard


def test_six_providers_have_a_key_variable_and_one_is_local() -> None:
    assert set(key_variables()) == {"anthropic", "openrouter", "openai", "deepseek", "gemini", "groq"}
    assert set(local_providers()) == {"ollama"}


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("gpu-box", "http://gpu-box:11434"),
        ("gpu-box:8000", "http://gpu-box:8000"),
        ("https://gpu-box:8000/", "https://gpu-box:8000"),
        ("0.0.0.0", "http://127.0.0.1:11434"),  # noqa: S104 # not bound
        ("[::1]:9", "http://[::1]:9"),
    ],
)
def test_ollamas_address(host: str, url: str) -> None:
    assert local_providers(host)["ollama"] == url


@pytest.mark.parametrize("name", [*key_variables(), "ollama"])
def test_any_single_provider_gives_a_usable_configuration(name: str) -> None:
    settings = embedded({name}, {})
    assert not settings.simulated
    assert settings.routing.default.startswith(f"{name},")
    targets = {f"{name},{model}" for model in settings.providers[name].models}
    routes = settings.routing.runtime.model_dump(exclude_none=True)
    assert {settings.routing.default, *settings.routing.fallback, *routes.values()} <= targets


def test_every_card_is_a_model_card_and_nothing_leaks_between_calls() -> None:
    first = preset("openrouter") or {}
    first["models"].clear()
    again = preset("openrouter") or {}
    assert len(again["models"]) == 5
    assert all(ModelCard.model_validate(card) for card in again["models"].values())


def test_a_preset_completes_only_a_provider_of_its_name_and_dialect() -> None:
    tables: dict[str, Any] = {
        "openai": {"api_key": {"env": "X"}},
        "anthropic": {"dialect": "openai", "base_url": "http://x"},
    }
    complete(tables)
    assert tables["openai"]["dialect"] == "openai"
    assert "models" not in tables["anthropic"]


@pytest.mark.parametrize(
    ("table", "dialect", "url"),
    [
        ({}, "ollama", "http://127.0.0.1:11434"),
        ({"base_url": "http://gpu-box:11434"}, "ollama", "http://gpu-box:11434"),
        ({"base_url": "http://gpu-box:11434/v1/"}, "openai", "http://gpu-box:11434/v1/"),
        ({"dialect": "openai"}, "openai", "http://127.0.0.1:11434/v1"),
        ({"dialect": "ollama", "base_url": "http://relay/v1"}, "ollama", "http://relay/v1"),
    ],
)
def test_ollama_s_openai_side_is_asked_where_it_is_named(table: dict[str, Any], dialect: str, url: str) -> None:
    tables = {"ollama": dict(table)}
    complete(tables)
    assert (tables["ollama"]["dialect"], tables["ollama"]["base_url"]) == (dialect, url)
    assert tables["ollama"]["allow_private"]
