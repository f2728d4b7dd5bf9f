"""What is saved of a snapshot: names and digests of all that it was made from, and the settings in force. Pure.

No key is in it: settings name where keys are, and what stands there and may be a key itself is left out.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from core.credentials import may_be_secret
from core.generation import Generation
from core.routing.snapshot import Snapshot
from core.schema import Settings
from wasm_host import signature, trust
from wasm_host.rule import Rule

VERSION: Final = 1
#: What stands for a variable's name that may be a key.
WITHHELD: Final = "WITHHELD"
#: What may change of a saved snapshot; everything else is in its name.
_CHANGES: Final = ("note", "by_hand", "saved_ms", "served_ms", "last_ms")


class Entry(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A saved snapshot. Digests are SHA-256, 64 hex digits; times are Unix time in ms, 0 for never.

    `settings` are those that were given, with presets, environment and command line, without defaults. `config` is the
    digest of the configuration file's text and `config_path` where it was; `withheld` says why it is not kept.
    `taxonomy` maps paths within its folder to digests, `plugins` the names of the files that the rules are made of.
    `served_ms` is when it first began to serve, `last_ms` when it last did.
    """

    version: int = VERSION
    digest: str
    parts: dict[str, str]
    engine: str
    settings: dict[str, Any]
    simulated: bool = False
    config: str = ""
    config_path: str = ""
    withheld: str = ""
    taxonomy: dict[str, str] = {}
    plugins: dict[str, str] = {}
    note: str = ""
    by_hand: bool = False
    saved_ms: int = 0
    served_ms: int = 0
    last_ms: int = 0

    @property
    def id(self) -> str:
        """As in headers."""
        return self.digest[:12]

    @property
    def key(self) -> str:
        """Eight hex digits that tell saved snapshots of one id apart: they decide alike, other settings differ."""
        plain = {name: value for name, value in msgspec.to_builtins(self).items() if name not in _CHANGES}
        return hashlib.sha256(msgspec.json.encode(plain, order="sorted")).hexdigest()[:8]

    @property
    def name(self) -> str:
        """The id and the key: one saved snapshot."""
        return f"{self.id}.{self.key}"

    @property
    def objects(self) -> frozenset[str]:
        """The digests of all that is kept for it."""
        return frozenset(filter(None, (self.config, *self.taxonomy.values(), *self.plugins.values())))


def entry_of(generation: Generation, texts: Mapping[str, str], *, config: str, withheld: str, engine: str) -> Entry:
    """What is to be saved of a generation. `texts` and `config` are the digests of its texts."""
    loaded, snapshot = generation.loaded, generation.snapshot
    files = {name: digest for rule in snapshot.rules.rules for name, digest in files_of(rule).items()}
    lock = {trust.LOCK_NAME: snapshot.rules.lock} if snapshot.rules.lock else {}
    return Entry(
        digest=snapshot.digest,
        parts=dict(snapshot.parts),
        engine=engine,
        settings=bare(loaded.settings.model_dump(mode="json", exclude_unset=True)),
        simulated=loaded.settings.simulated,
        config=config,
        config_path=str(loaded.path.absolute()) if loaded.path else "",
        withheld=withheld,
        taxonomy=dict(texts),
        plugins=files | lock,
    )


def files_of(rule: Rule) -> dict[str, str]:
    """A rule's files by name: the module, its manifest and its signature."""
    if (evidence := rule.evidence) is None:
        return {}
    stem = evidence.file.rpartition(".")[0]
    named = {
        evidence.file: evidence.sha256,
        f"{stem}.toml": evidence.manifest,
        evidence.file + signature.SUFFIX: evidence.signature,
    }
    return {name: digest for name, digest in named.items() if digest}


def bare(value: Any) -> Any:
    """Settings as JSON values, without what may be a key where a variable or a file is to be named."""
    if isinstance(value, dict):
        if _names_secret(value):
            return {"env": WITHHELD}
        return {name: bare(below) for name, below in value.items()}
    return [bare(below) for below in value] if isinstance(value, list) else value


def suspicious(value: Any) -> bool:
    """Whether this names where a secret is, or is to, and the name looks like a secret; so does one below it."""
    if isinstance(value, dict):
        return _names_secret(value) or any(map(suspicious, value.values()))
    return isinstance(value, list) and any(map(suspicious, value))


def _names_secret(table: Mapping[str, Any]) -> bool:
    where = table.values() if table.keys() <= {"env", "file"} else ()
    return any(isinstance(name, str) and may_be_secret(name) for name in where)


def settings_of(entry: Entry) -> Settings:
    """The settings that were in force; ValueError if this version does not know them."""
    return Settings.model_validate({**entry.settings, "simulated": entry.simulated})


def why_other(entry: Entry, snapshot: Snapshot, engine: str) -> str:
    """Why the snapshot that was built again is another one than the saved."""
    differs = [part for part in entry.parts if entry.parts[part] != snapshot.parts.get(part)]
    if "code" in differs:
        mine = snapshot.parts["code"]
        return f"it was saved by version {entry.parts['code']}, this is {mine}: use that version"
    if entry.engine != engine and "rules" in differs:
        return f"its rules ran on {entry.engine}, here is {engine}: install that version of wasmtime"
    told = {"catalogue": "the model catalogue", "vocabularies": "the vocabularies"}
    if parts := [told[part] for part in differs if part in told]:
        return f"{' and '.join(parts)} came with another build of this version: use that one"
    return f"{', '.join(differs) or 'its parts'} came out differently: the saved files were changed"
