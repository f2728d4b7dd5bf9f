"""One configuration file: text in, `Settings` or every mistake at once with line and suggestion out. Pure."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from core.errors import ConfigError, Problem
from core.exchange import Target
from core.presets import complete, merge, preset_names
from core.schema import ModelCard, ProviderSettings, ServerKey, Settings
from core.schema_rollout import RolloutSettings, of_rule
from core.toml_lines import Path as Path_
from core.toml_lines import key_lines, line_of

PREFIX = "TERRAPHIM_"
LOOPBACK_NAMES = {"127.0.0.1", "::1", "localhost"}
Finding = tuple[tuple[str | int, ...], str, str]


def _sections(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """The keys that the table at `path` knows; empty where the path leads into a free mapping."""
    for part in path:
        if not (isinstance(part, str) and part in model.model_fields):
            return []
        annotation = model.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return [name for name, field in model.model_fields.items() if not field.exclude]


# Models of the tables below `[providers.NAME]` and `[providers.NAME.models."X"]`, for suggestions.
def _known_keys(path: tuple[str | int, ...]) -> list[str]:
    match path:
        case ("providers", str()):
            return list(ProviderSettings.model_fields)
        case ("providers", str(), "models", str()):
            return list(ModelCard.model_fields)
        case ("server", "keys", int()):
            return list(ServerKey.model_fields)
        case _:
            return _sections(Settings, path)


def _problem(error: Any, path: Path, lines: dict[tuple[str, ...], int]) -> Problem:
    loc: tuple[str | int, ...] = error["loc"]
    name = ".".join(map(str, loc)) or "the file"
    hint = ""
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "unknown key"
        known = _known_keys(loc[:-1])
        close = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}" if known else ""
    elif error["type"] == "missing":
        message, hint = "is missing", _preset_meant(loc)
    return Problem(str(path), line_of(lines, loc), f"{name}: {message}", hint)


def _preset_meant(loc: tuple[str | int, ...]) -> str:
    """What to do about a provider without a dialect: its name is nearly that of a preset, or none is known by it."""
    match loc:
        case ("providers", str(name), "dialect"):
            known = preset_names()
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
            return f"did you mean [providers.{close[0]}]?" if close else f"only these need none: {', '.join(known)}"
        case _:
            return ""


def parse(text: str, path: Path, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Settings of a TOML text, or ConfigError with every problem at once. Relative paths start at `path`'s folder."""
    settings, lines = read(text, path, overrides)
    if problems := contradictions(settings, str(path), lines):
        raise ConfigError(problems)
    return settings


def read(text: str, path: Path, overrides: Mapping[str, Any] | None = None) -> tuple[Settings, dict[Path_, int]]:
    """As `parse`, without `contradictions`; with the lines of the keys."""
    try:
        data = tomllib.loads(text)
    except ValueError as exc:  # an integer without end is another one than TOML's
        line = re.search(r"line (\d+)", str(exc))
        raise ConfigError([Problem(str(path), int(line[1]) if line else 0, f"not TOML: {exc}")]) from None
    except RecursionError:
        raise ConfigError([Problem(str(path), 0, "not usable TOML: nested too deeply")]) from None
    if "simulated" in data:
        raise ConfigError([Problem(str(path), 0, "simulated: unknown key")])
    merge(data, overrides or {})
    complete(data.get("providers"))
    lines = key_lines(text)
    try:
        settings = Settings.model_validate(data)
    except ValidationError as exc:
        found = [_problem(error, path, lines) for error in exc.errors()]
        raise ConfigError(sorted(found, key=lambda problem: problem.line)) from None
    return resolve_paths(settings, path.parent), lines


def contradictions(settings: Settings, where: str, lines: Mapping[Path_, int]) -> list[Problem]:
    """What no single key shows to be wrong; `where` names the configuration."""
    return [
        Problem(where, line_of(lines, loc), f"{'.'.join(map(str, loc))}: {message}", hint)
        for loc, message, hint in _cross_checks(settings)
    ]


def _cross_checks(settings: Settings) -> list[Finding]:
    """Mistakes that no single key shows: a target of an unknown provider, what needs a key and has none."""
    findings: list[Finding] = []
    routing = settings.routing
    named: list[tuple[tuple[str | int, ...], str]] = [(("routing", "default"), routing.default)]
    named += [(("routing", "fallback", i), name) for i, name in enumerate(routing.fallback)]
    named += [
        (("routing", "runtime", key), name) for key, name in routing.runtime.model_dump(exclude_none=True).items()
    ]
    for key, chain in routing.fallbacks.items():
        loc_of_chain = ("routing", "fallbacks", key)
        named += [(loc_of_chain, name) for name in (*chain, *([key] if "," in key else []))]
    for loc, name in named:
        provider = Target.parse(name).provider
        if provider not in settings.providers:
            findings.append((loc, f"provider {provider!r} is not configured", _closest(provider, settings.providers)))
    if settings.server.host not in LOOPBACK_NAMES and not settings.server.keys:
        findings.append((("server", "host"), "another address than loopback needs at least one [[server.keys]]", ""))
    names = [key.name for key in settings.server.keys]
    for number, name in enumerate(names):
        if name in names[:number]:
            hint = "several secrets of one client are listed as keys = [{ … }, { … }] of one entry"
            findings.append((("server", "keys", number, "name"), f"another key is named {name!r} already", hint))
    if settings.plugins.require_signature and not settings.plugins.public_keys:
        what, hint = "no signature can be good without plugins.public_keys", "list the keys that you trust there"
        findings.append((("plugins", "require_signature"), what, hint))
    findings += _rollout_mistakes(settings)
    if not settings.redis.url:
        message, hint = "needs redis.url", 'write [redis] url = "redis://127.0.0.1:6379"'
        findings += [((name, "store"), message, hint) for name in settings.kept_in("redis")]
    return findings


def _rollout_mistakes(settings: Settings) -> list[Finding]:
    """What is wrong with the rules' own `rollout` tables, which are free mappings as far as `Settings` goes."""
    findings: list[Finding] = []
    for name, table in settings.rules.items():
        flat = [table, *(inner for key in ("rule", "policy") if isinstance(inner := table.get(key), dict))]
        for own in (place["rollout"] for place in flat if "rollout" in place):
            where = ("rules", name, "rollout")
            if not isinstance(own, dict):
                findings.append((where, "is not a table", ""))
                continue
            try:
                of_rule(settings.plugins.rollout, own)
            except ValidationError as exc:
                findings += [_rollout_mistake(where, error) for error in exc.errors()]
    return findings


def _rollout_mistake(where: tuple[str, ...], error: Any) -> Finding:
    loc = (*where, *error["loc"])
    if error["type"] != "extra_forbidden":
        return loc, error["msg"], ""
    return loc, "unknown key", _closest(str(loc[-1]), RolloutSettings.model_fields).replace("configured", "known")


def _closest(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"configured: {', '.join(sorted(known))}"


#: Settings that are paths.
_PATHS = (
    ("plugins", "dir"),
    ("taxonomy", "dir"),
    ("records", "file"),
    ("records", "decisions_dir"),
    ("redis", "ca_file"),
)


def resolve_paths(settings: Settings, base: Path) -> Settings:
    """The same settings with paths made absolute against the configuration's folder."""
    tables: dict[str, BaseModel] = {}
    for name, key in _PATHS:
        table = tables.get(name, getattr(settings, name))
        if (path := getattr(table, key)) is not None:
            tables[name] = table.model_copy(update={key: absolute(path, base)})
    return settings.model_copy(update=tables)


def absolute(path: Path, base: Path) -> Path:
    """`path`, which is relative to `base` and may begin with `~`; ConfigError if the system knows no such path."""
    try:
        return (base / path.expanduser()).resolve()
    except (ValueError, RuntimeError, OSError) as exc:  # a NUL, an unknown user, a loop of links
        raise ConfigError([Problem(str(path), 0, f"not a usable path: {exc}")]) from None


def environment_overrides(environ: Mapping[str, str]) -> dict[str, Any]:
    """`TERRAPHIM_SERVER__PORT=4000` as `{"server": {"port": 4000}}`; a value that is no TOML value is a string.

    ConfigError if one variable gives a value and another one something below it.
    """
    overrides: dict[str, Any] = {}
    for name, text in sorted(environ.items()):  # a table's own variable before those below it
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        *tables, key = name.removeprefix(PREFIX).lower().split("__")
        try:
            value: Any = tomllib.loads(f"v = {text}")["v"]
        except (ValueError, RecursionError):
            value = text
        table = overrides
        for part in tables:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise ConfigError([Problem("environment", 0, f"{name} contradicts another variable", "unset one")])
        table[key] = value
    return overrides
