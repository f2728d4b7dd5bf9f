"""`doctor`: what this machine gives to keep rules apart from the proxy. It asks nobody but Redis, and runs no rule."""

import asyncio
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct

from core import settings
from core.cli_common import EXIT_CONFIG, EXIT_FAILURE
from core.errors import ConfigError
from core.state.redis import StoreDown, version_of
from wasm_host import child, hardening
from wasm_host.compiler import unsafe_folder

PROMISE = (
    "An escape finds nothing: machine code that got out of the engine would reach no file, socket, process or key."
)
#: A worker is kept apart from the proxy; a rule in the proxy's own process is not, whatever the machine gives.
APART = "process"


class Finding(Struct, frozen=True):
    """One thing that was looked at: `state` says what was found, `hint` what its lack means or what to do."""

    name: str
    ok: bool
    state: str
    hint: str = ""


class Report(Struct, frozen=True, kw_only=True):
    """Everything that was found. `promised`: an escape from the engine finds nothing here; `promise` says it."""

    python: str
    system: str
    engine: str
    isolation: str
    settings: tuple[Finding, ...]
    keys: tuple[Finding, ...] = ()
    layers: tuple[Finding, ...]
    promised: bool
    promise: str


def examine(config: Path | None, env: Mapping[str, str], *, plugins: Path | None = None) -> Report:
    """Look at everything; a broken configuration is a finding like any other."""
    try:
        loaded = settings.load(config, env, plugins=plugins)
    except ConfigError as exc:
        found = tuple(Finding("configuration", ok=False, state=str(problem)) for problem in exc.problems)
        isolation, keys = "unknown", tuple[Finding, ...]()
    else:
        found, isolation, keys = _configuration(loaded), loaded.settings.plugins.isolation, keys_of(loaded)
    return assemble(hardening.supported(), isolation, (*found, _cache(settings.cache_dir(env)), _path()), keys)


def assemble(
    layers: Mapping[str, str], isolation: str, found: tuple[Finding, ...], keys: tuple[Finding, ...] = ()
) -> Report:
    """The report on these layers and findings. Pure but for the names of what runs here."""
    promised = isolation == APART and hardening.promised(layers)
    return Report(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        engine=f"wasmtime {version('wasmtime')}",
        isolation=isolation,
        settings=found,
        keys=keys,
        layers=tuple(
            Finding(name, state == hardening.ON, state, "" if state == hardening.ON else hardening.LACKS[name])
            for name, state in layers.items()
        ),
        promised=promised,
        promise=PROMISE if promised else f"Not promised: {_why_not(layers, isolation)}.",
    )


def exit_code(report: Report) -> int:
    """0 if everything holds, 78 if the configuration cannot be used, else 1."""
    if any(finding.name == "configuration" and not finding.ok for finding in report.settings):
        return EXIT_CONFIG
    good = report.promised and all(finding.ok for finding in (*report.settings, *report.keys, *report.layers))
    return 0 if good else EXIT_FAILURE


def text(report: Report) -> str:
    """The report for people."""
    lines = [f"python {report.python}, {report.system}, {report.engine}", "", "settings"]
    lines += map(_line, report.settings)
    lines += ["", "keys", *map(_line, report.keys)] if report.keys else []
    lines += ["", "layers around a worker"]
    lines += map(_line, report.layers)
    return "\n".join([*lines, "", report.promise])


def _line(finding: Finding) -> str:
    mark = "ok     " if finding.ok else "MISSING"
    said = f"  {mark}  {finding.name.replace('_', ' '):<14}  {finding.state}"
    return f"{said}\n{'':27}{finding.hint}" if finding.hint else said


def _why_not(layers: Mapping[str, str], isolation: str) -> str:
    if isolation != APART:
        return f'signed and locked rules run in the proxy\'s own process (plugins.isolation = "{isolation}")'
    missing = [name for name in hardening.LACKS if layers.get(name) != hardening.ON]
    return f"these layers are missing: {', '.join(missing)}"


def _configuration(loaded: settings.Loaded) -> tuple[Finding, ...]:
    """Where configuration and rules are, and where rules run."""
    chosen = loaded.settings.plugins
    folder = chosen.dir or Path()
    rules = (
        Finding("plugins", ok=True, state=str(folder))
        if folder.is_dir()
        else Finding("plugins", ok=False, state=f"{folder} is no folder", hint="make it, or set plugins.dir")
    )
    source = str(loaded.path or "none (the embedded default)")
    apart = chosen.isolation == APART
    kept = Finding(
        "isolation", ok=apart, state=chosen.isolation, hint="" if apart else f'set plugins.isolation = "{APART}"'
    )
    return Finding("configuration", ok=True, state=source), rules, kept, *_redis(loaded)


def _redis(loaded: settings.Loaded) -> tuple[Finding, ...]:
    """Whether Redis answers, if there is one, and what is kept there."""
    chosen = loaded.settings.redis
    if not chosen.url:
        return ()
    try:
        found = asyncio.run(version_of(chosen, loaded.secrets.redis))
    except StoreDown as exc:
        hint = "each proxy keeps its own meanwhile; operations.md#redis says what each reason means"
        return (Finding("redis", ok=False, state=f"does not serve: {exc.kind}", hint=hint),)
    return (Finding("redis", ok=True, state=f"{found}, for {', '.join(loaded.settings.shared) or 'nothing'}"),)


def keys_of(loaded: settings.Loaded) -> tuple[Finding, ...]:
    """Who may ask, which providers have keys, and what is doubtful about them: names and places, never a key. Pure."""
    server = loaded.settings.server
    whom = "clients with a key" if server.keys else "everybody on this machine"
    found = [Finding("listens on", ok=True, state=f"{server.host} port {server.port}, for {whom}")]
    for key in server.keys:
        secrets = f"{len(key.refs)} key{'s' * (len(key.refs) > 1)}"
        found.append(
            Finding(f"client {key.name}", ok=True, state=f"{secrets}; {', '.join(key.targets) or 'all targets'}")
        )
    for name, provider in {} if loaded.settings.simulated else loaded.settings.providers.items():
        positions = [key.position for key in loaded.secrets.providers.get(name, ())]
        wanted = len(provider.key_refs)
        state = f"key {', '.join(map(str, positions))} of {max(wanted, len(positions))}" if positions else "no key"
        found.append(Finding(f"provider {name}", ok=len(positions) >= wanted, state=state))
    found += [Finding("warning", ok=False, state=str(problem)) for problem in loaded.warnings]
    return tuple(found)


def _path() -> Finding:
    """Which way to the engine serves here, found out as a worker finds it out, in a process of its own."""
    done = child.run("wasm_host.paths", [], b"", timeout_s=20)
    name, _, reason = done.stdout.decode(errors="replace").partition(" ")
    if done.status != 0 or not name:
        return Finding("engine path", ok=False, state=f"none ({done.reason})", hint="rules cannot run: report this")
    slower = "rules run through wasmtime's Python objects, which take about three times as long"
    return Finding("engine path", ok=not reason, state=f"{name} {reason}".strip(), hint=slower if reason else "")


def _cache(folder: Path) -> Finding:
    if refusal := unsafe_folder(folder):
        return Finding("cache", ok=False, state=refusal.message, hint=refusal.hint)
    return Finding("cache", ok=True, state=str(folder))
