"""Settings: TOML and environment in, one frozen value out. The only reader of `os.environ`.

`load` finds the configuration, refuses what others may write, and reports every mistake at once with its line. Secrets
(`credentials`) are kept apart from `Settings`, which is part of the snapshot and must be printable.
"""

import os
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from core import config_file, presets
from core.credentials import Reader, Secrets, files_of, others_may
from core.errors import ConfigError, Problem
from core.schema import Settings
from wasm_host import files, signature

#: The package's own data: presets, vocabularies, and (in a wheel) taxonomy and rules.
DATA = Path(__file__).parent / "_data"


@dataclass(frozen=True)
class Loaded:
    """A usable configuration: settings, secrets, where they came from, and what deserves a warning."""

    settings: Settings
    secrets: Secrets
    path: Path | None
    warnings: tuple[Problem, ...] = ()
    #: Files that hold secrets or public keys: a new key in one of them is a new configuration.
    key_files: tuple[Path, ...] = ()
    #: The folder in which how far rules are rolled out is kept.
    state: Path | None = None
    #: What the file at `path` says.
    text: str = field(default="", repr=False, compare=False)


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
    workers: int | str | None = None,
) -> Loaded:
    """The configuration of this start, or ConfigError. `host`, `port` and `workers` are the command line's.

    `plugins` and `taxonomy` are the folders of the command line; without them and without a configured folder, the XDG
    data folder serves if it is there, else the folders that came with the package.
    """
    path = config_path(explicit, env)
    overrides = config_file.environment_overrides(env)
    given = (("host", host), ("port", port), ("workers", workers))
    command_line = {key: value for key, value in given if value is not None}
    presets.merge(overrides, {"server": command_line} if command_line else {})
    where, base = str(path or "environment or command line"), path.parent if path else Path()
    lines: dict[tuple[str, ...], int] = {}
    text = ""
    if path is None:
        settings = presets.embedded(_discovered(env), overrides, ollama_host=env.get("OLLAMA_HOST", ""))
    else:
        text = _text(path)
        settings, lines = config_file.read(text, path, overrides)
    problems = config_file.contradictions(settings, where, lines)
    reader = Reader(env, base, where, lines, problems)
    usual = presets.key_variables() if env.get("TERRAPHIM_DISCOVERY") != "off" else {}
    secrets = reader.read(settings, usual)
    with _collecting(problems):
        settings = _with_folders(settings, env, plugins, taxonomy)
    key_files = (*files_of(settings, base), *_public_key_files(settings, base))
    key_files += (settings.redis.ca_file,) if settings.redis.ca_file else ()
    with _collecting(problems):
        _refuse_bad_ca_file(settings, path)
    with _collecting(problems):
        settings = _with_public_keys(settings, base, path)
    if problems:
        raise ConfigError(reader.told(problems, secrets), awaited=tuple(reader.awaited))
    warnings = tuple(reader.told(reader.warnings, secrets))
    return Loaded(settings, secrets, path, warnings, key_files, state_dir(env), text)


def _text(path: Path) -> str:
    _refuse_writable_by_others([path])
    try:
        return path.read_text("utf-8-sig")  # Windows editors begin a file with a mark
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError([Problem(str(path), 0, f"cannot be read: {exc}")]) from None


@contextmanager
def _collecting(problems: list[Problem]) -> Iterator[None]:
    """A ConfigError of the block is not raised yet: the operator is told everything at once."""
    try:
        yield
    except ConfigError as exc:
        problems += exc.problems


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
        if others_may(info, stat.S_IWGRP, stat.S_IWOTH):
            problems.append(Problem(str(path), 0, "may be written by other users", f"run: chmod go-w {path}"))
    if problems:
        raise ConfigError(problems)


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
