"""The model catalogue: what is known of models that nobody configured.

It ships with the package, made of well-kept data packages by `tools/make_catalogue.py`. The configuration overrides it
field by field, and what is unknown stays unknown.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from core.model_names import spellings
from core.schema import ModelCard, Price, ProviderSettings

FILE = Path(__file__).parent / "_data" / "models.json"
#: What a model can do, whoever offers it. Its sizes and prices are the offer's.
ABILITIES = ("images", "tools", "thinking", "thinking_mode", "effort", "sampling")

Card = dict[str, object]


class _Provider(Struct, frozen=True):
    hosts: tuple[str, ...]
    models: dict[str, Card]


class MadeOf(Struct, frozen=True):
    """A data package."""

    package: str
    version: str
    license: str


class _File(Struct, frozen=True):
    date: str
    made_of: tuple[MadeOf, ...]
    providers: dict[str, _Provider]


@dataclass(frozen=True)
class Catalogue:
    """The catalogue of one file. `digest` is the SHA-256 of its bytes."""

    date: str
    made_of: tuple[MadeOf, ...]
    providers: Mapping[str, _Provider]
    digest: str

    @cached_property
    def _by_host(self) -> Mapping[str, str]:
        return {host: name for name, provider in self.providers.items() for host in provider.hosts}

    def family(self, name: str, provider: ProviderSettings) -> str:
        """Under which provider a configured one's models stand; empty if it is unknown here."""
        if provider.catalogue is not None:
            return "" if provider.catalogue == "none" else provider.catalogue
        if name in self.providers:
            return name
        return self._by_host.get(urlsplit(provider.base_url).hostname or "", "")

    def find(self, family: str, model: str) -> Card:
        """What is known of a model under the nearest of its names; empty if nothing is."""
        for provider, name, same_offer in spellings(family, model):
            known = self.providers.get(provider)
            card = known.models.get(name) if known else None
            if card is not None:
                return card if same_offer else {key: card[key] for key in ABILITIES if key in card}
        return {}

    def card(self, name: str, provider: ProviderSettings, model: str) -> ModelCard:
        """What is known of a configured provider's model; the configuration's word counts."""
        own = provider.models.get(model, ModelCard())
        family = self.family(name, provider)
        found = self.find(family, model) if family else {}
        if not found:
            return own
        configured = own.model_dump(exclude_unset=True)
        price = found.get("price", {})
        both = {**(price if isinstance(price, dict) else {}), **configured.pop("price", {})}
        return ModelCard.model_validate({**found, **configured, "price": Price(**both)})


def decode(data: bytes) -> Catalogue:
    """A catalogue of a file's bytes; msgspec.MsgspecError if they are none."""
    file = msgspec.json.decode(data, type=_File)
    return Catalogue(file.date, file.made_of, file.providers, hashlib.sha256(data).hexdigest())


@cache
def shipped() -> Catalogue:
    """The one that came with the package; read once, in about two milliseconds."""
    return decode(FILE.read_bytes())
