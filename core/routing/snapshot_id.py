"""What a snapshot's id is made from: all that decides who is asked, and what is sent to them. Pure.

Left out is what changes neither: where the proxy listens, where folders and keys are, how long to wait, whose clients
may come (which client asks is a feature of the request). So equal files give equal ids on any machine, in any process.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from core import __version__
from core.catalogue import Catalogue
from core.rolegraph import Taxonomy
from core.schema import Settings
from core.vocab import vocabularies
from wasm_host import abi
from wasm_host.rule import RuleSet

_COUNTS: Final[Mapping[str, bool | set[str]]] = {
    "providers": True,
    "routing": True,
    "rules": True,
    "taxonomy": {"scoring"},
    "sessions": {"sticky", "prompt_cache_s", "follow_priority"},
}
#: Of a provider: what says where its keys are, how long it is waited for, and what may be connected to.
_NOT_OF_PROVIDERS: Final = ("api_key", "api_keys", "clocks", "allow_private")


def parts_of(settings: Settings, taxonomy: Taxonomy, rules: RuleSet, catalogue: Catalogue) -> dict[str, str]:
    """The SHA-256 (64 hex digits) of each part's canonical bytes; `code` names versions instead."""
    return {
        "settings": _sha256(deciding(settings)),
        "taxonomy": _sha256(taxonomy.identity()),
        "rules": _sha256(rules.identity()),
        "catalogue": catalogue.digest,
        "vocabularies": vocabularies(),
        "code": f"{__version__} {abi.NAME}",
    }


def digest_of(parts: dict[str, str]) -> str:
    """The snapshot's digest, 64 hex digits."""
    return _sha256(parts)


def deciding(settings: Settings) -> dict[str, Any]:
    """The settings that count, as JSON values."""
    dump = settings.model_dump(mode="json", include=_COUNTS)
    for provider in dump["providers"].values():
        for key in _NOT_OF_PROVIDERS:
            del provider[key]
    return dump | {"simulated": settings.simulated}


def _sha256(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
