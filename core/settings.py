"""Settings: TOML and environment in, one frozen value out. The only reader of `os.environ`.

`load` finds the configuration, refuses what others may write, and reports every mistake at once with its line. Secrets
are kept apart from `Settings`, which is part of the snapshot and must be printable.
"""

import grp
import os
import pwd
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from core import config_file, presets
from core.errors import ConfigError, Problem
from core.exchange import ProviderKey
from core.schema import Settings
from core.sections import SecretRef
from wasm_host import files, signature

#: The package's own data: presets, vocabularies, and (in a wheel) taxonomy and rules.
DATA = Path(__file__).parent / "_data"


@dataclass(frozen=True)
class Secrets:
    """Provider keys and client keys. Never printed, never part of a snapshot."""

    providers: Mapping[str, tuple[ProviderKey, ...]] = field(default_factory=dict, repr=False)
    #: Secret to the name of its client.
    clients: Mapping[str, str] = field(default_factory=dict, repr=False)
    redis: str = field(default="", repr=False)


@dataclass(frozen=True)
class Loaded:
    """A usable configuration: settings, secrets, where they came from, and what deserves a warning."""

    settings: Settings
    secrets: Secrets
    path: Path | None
    warnings: tuple[Problem, ...] = ()
    #: Files that hold secrets or public keys: a new key in one of them is a new configuration.
    key_files: tuple[Path, ...] = ()


def environ() -> dict[str, str]:
    """A copy of the process's environment."""
    return dict(os.environ)


def config_path(explicit: Path | None, env: Mapping[str, str]) -> Path | None:
    """`--config`, `$TERRAPHIM_CONFIG`, the XDG path, or None. Never the current directory."""
    if explicit is not None:
        return explicit
    if named := env.get("TERRAPHIM_CONFIG"):
        return Path(named)
    candidate = _xdg(env, "XDG_CONFIG_HOME", ".config") / "config.toml"
    return candidate if candidate.is_file() else None


def cache_dir(env: Mapping[str, str]) -> Path:
    """Where compiled rules are kept."""
    return _xdg(env, "XDG_CACHE_HOME", ".cache")


def state_dir(env: Mapping[str, str]) -> Path:
    """Where what was learned is kept."""
    return _xdg(env, "XDG_STATE_HOME", ".local/state")


def _xdg(env: Mapping[str, str], variable: str, fallback: str) -> Path:
    base = Path(env[variable]) if env.get(variable) else Path(env.get("HOME") or Path.home()) / fallback
    return base / "terraphim-proxy"


def load(
    explicit: Path | None,
    env: Mapping[str, str],
    *,
    plugins: Path | None = None,
    taxonomy: Path | None = None,
    host: str | None = None,
    port: int | None = None,
) -> Loaded:
    """The configuration of this start, or ConfigError. `host` and `port` are the command line's.

    `plugins` and `taxonomy` are the folders of the command line; without them and without a configured folder, the XDG
    data folder serves if it is there, else the folders that came with the package.
    """
    path = config_path(explicit, env)
    overrides = config_file.environment_overrides(env)
    command_line = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    presets.merge(overrides, {"server": command_line} if command_line else {})
    warnings: list[Problem] = []
    if path is None:
        settings = presets.embedded(_discovered(env), overrides, ollama_host=env.get("OLLAMA_HOST", ""))
        config_file.refuse_contradictions(settings, Path("environment or command line"), {})
        secrets = Secrets() if settings.simulated else _provider_secrets(settings, env, Path(), warnings)
    else:
        _refuse_writable_by_others([path])
        try:
            text = path.read_text("utf-8-sig")  # Windows editors begin a file with a mark
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError([Problem(str(path), 0, f"cannot be read: {exc}")]) from None
        settings = config_file.parse(text, path, overrides)
        secrets = _provider_secrets(settings, env, path, warnings)
    base = path.parent if path else Path()
    settings = _with_folders(settings, env, plugins, taxonomy)
    redis = settings.redis.password
    password = _read_secret(redis, env, base) if redis else ""
    if redis and not password:
        why = f"redis.password is empty: {redis.env or redis.file} is empty or not there"
        warnings.append(Problem(str(path or "environment"), 0, why))
    secrets = Secrets(secrets.providers, _client_secrets(settings, env, path), password)
    _refuse_bad_ca_file(settings, path)
    key_files = (*_secret_files(settings, base), *_public_key_files(settings, base))
    return Loaded(_with_public_keys(settings, base, path), secrets, path, tuple(warnings), key_files)


def _with_folders(settings: Settings, env: Mapping[str, str], plugins: Path | None, taxonomy: Path | None) -> Settings:
    data_home = _xdg(env, "XDG_DATA_HOME", ".local/share")

    def choose(given: Path | None, configured: Path | None, name: str) -> Path:
        if given or configured:
            return (given or configured or Path()).resolve()
        return next((p for p in (data_home / name, DATA / name) if p.is_dir()), DATA.parent.parent / name)

    rules = choose(plugins, settings.plugins.dir, "plugins")
    concepts = choose(taxonomy, settings.taxonomy.dir, "taxonomy")
    _refuse_writable_by_others([folder for folder in (rules, concepts) if folder.exists()])
    return settings.model_copy(
        update={
            "plugins": settings.plugins.model_copy(update={"dir": rules}),
            "taxonomy": settings.taxonomy.model_copy(update={"dir": concepts}),
        }
    )


def _refuse_writable_by_others(paths: list[Path]) -> None:
    """Who can write the configuration can redirect every key, so only its owner may."""
    problems = []
    for path in paths:
        try:
            info = path.stat()
        except OSError as exc:
            problems.append(Problem(str(path), 0, f"cannot be read: {exc.strerror}"))
            continue
        if info.st_mode & stat.S_IWOTH or (info.st_mode & stat.S_IWGRP and not _private_group(info)):
            problems.append(Problem(str(path), 0, "may be written by other users", f"run: chmod go-w {path}"))
    if problems:
        raise ConfigError(problems)


def _private_group(info: os.stat_result) -> bool:
    """Whether the file's group is its owner's own (as where the umask is 002), so that nobody else is in it."""
    try:
        return pwd.getpwuid(info.st_uid).pw_gid == info.st_gid and not grp.getgrgid(info.st_gid).gr_mem
    except KeyError:
        return False


def _read_secret(ref: SecretRef, env: Mapping[str, str], base: Path) -> str:
    """The secret, or an empty string when its variable or file is not there or holds no text."""
    if ref.env is not None:
        return env.get(ref.env, "").strip()
    try:
        return config_file.absolute(ref.file or Path(), base).read_text("utf-8-sig").strip()
    except (OSError, ValueError):
        return ""


def _secret_files(settings: Settings, base: Path) -> tuple[Path, ...]:
    refs = [key.key for key in settings.server.keys]
    refs += [ref for provider in settings.providers.values() for ref in provider.key_refs]
    refs += [settings.redis.password] if settings.redis.password else []
    found = [config_file.absolute(ref.file, base) for ref in refs if ref.file is not None]
    return (*found, *([settings.redis.ca_file] if settings.redis.ca_file else []))


def _refuse_bad_ca_file(settings: Settings, path: Path | None) -> None:
    """ConfigError if it holds no certificate: every connection would fail."""
    file = settings.redis.ca_file
    try:
        if file is None or b"-----BEGIN CERTIFICATE-----" in file.read_bytes():
            return
        why = "holds no certificate"
    except OSError as exc:
        why = f"cannot be read: {exc.strerror}"
    raise ConfigError([Problem(str(path or "environment"), 0, f"redis.ca_file: {file} {why}", "it takes PEM")])


def _public_key_files(settings: Settings, base: Path) -> tuple[Path, ...]:
    named = (text for text in settings.plugins.public_keys if not signature.looks_like_key(text))
    return tuple(config_file.absolute(Path(text), base) for text in named)


def _with_public_keys(settings: Settings, base: Path, path: Path | None) -> Settings:
    """The same settings with the keys themselves in place of the files that hold them; ConfigError names bad ones."""
    keys: dict[str, None] = {}
    problems = []
    for text in settings.plugins.public_keys:
        try:
            keys[read_public_key(text, base)] = None
        except ValueError as exc:
            hint = "rules sign --new-key FILE makes a pair; FILE.pub is the public key"
            problems.append(Problem(str(path or "environment"), 0, f"plugins.public_keys: {exc}", hint))
    if problems:
        raise ConfigError(problems)
    return settings.model_copy(
        update={"plugins": settings.plugins.model_copy(update={"public_keys": tuple(keys)})},
    )


def read_public_key(text: str, base: Path) -> str:
    """A rule author's public key, given as itself or as the file that holds it; ValueError says what is wrong."""
    if signature.looks_like_key(text):
        return signature.parse_public(text)
    try:
        return signature.parse_public(
            files.read(config_file.absolute(Path(text), base), signature.KEY_SIZE).decode("utf-8-sig")
        )
    except files.Unusable as exc:
        raise ValueError(f"{text} {exc.message}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{text} is not text") from None
    except ValueError as exc:
        raise ValueError(f"{text} is {exc}") from None


def _provider_secrets(settings: Settings, env: Mapping[str, str], path: Path, warnings: list[Problem]) -> Secrets:
    usual = presets.key_variables() if env.get("TERRAPHIM_DISCOVERY") != "off" else {}
    found: dict[str, tuple[ProviderKey, ...]] = {}
    for name, provider in settings.providers.items():
        refs = provider.key_refs
        if not refs and env.get(usual.get(name, "")):
            refs = (SecretRef(env=usual[name]),)
        keys: dict[str, ProviderKey] = {}
        for position, ref in enumerate(refs, 1):
            secret = _read_secret(ref, env, path.parent)
            if why := _unusable(secret, ref, keys):
                which = f"has no key: {why}" if len(refs) == 1 else f"goes without its key {position}: {why}"
                warnings.append(Problem(str(path), 0, f"provider {name!r} {which}"))
            else:
                keys[secret] = ProviderKey(position, secret)
        if keys:
            found[name] = tuple(keys.values())
    return Secrets(providers=found)


def _unusable(secret: str, ref: SecretRef, others: Mapping[str, ProviderKey]) -> str:
    """Why this cannot serve as a provider's key; empty if it can."""
    if not secret:
        return f"{ref.env or ref.file} is empty or not there"
    if not (secret.isascii() and secret.isprintable()):
        return "its key is no line of plain ASCII, so no header can carry it"
    return f"it is the same as key {others[secret].position}" if secret in others else ""


def _client_secrets(settings: Settings, env: Mapping[str, str], path: Path | None) -> dict[str, str]:
    clients: dict[str, str] = {}
    problems: list[Problem] = []
    where = str(path or "environment")
    for entry in settings.server.keys:
        secret = _read_secret(entry.key, env, path.parent if path else Path())
        if not secret:
            source = entry.key.env or entry.key.file
            problems.append(Problem(where, 0, f"server key {entry.name!r} is empty: {source}"))
        elif secret in clients:
            problems.append(Problem(where, 0, f"server keys {clients[secret]!r} and {entry.name!r} are the same"))
        clients[secret] = entry.name
    if problems:
        raise ConfigError(problems)
    return clients


def _discovered(env: Mapping[str, str]) -> set[str]:
    """Names of preset providers that can be reached: a key is in the environment, or Ollama is running."""
    if env.get("TERRAPHIM_DISCOVERY") == "off":
        return set()
    found = {name for name, variable in presets.key_variables().items() if env.get(variable, "").strip()}
    for name, url in presets.local_providers(env.get("OLLAMA_HOST", "")).items():
        address = urlsplit(url)
        try:
            with socket.create_connection((address.hostname or "", address.port or 80), timeout=0.2):
                found.add(name)
        except OSError:
            continue
    return found
