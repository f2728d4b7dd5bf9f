"""`doctor`: what is amiss here, and what mends it. It asks nobody but the proxy and Redis (with `--online` providers,
without a key), and runs no rule.
"""

import asyncio
import platform
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct

from core import cli_clients, doctor_clients, doctor_machine, doctor_reach, settings
from core.cli_common import EXIT_CONFIG, EXIT_FAILURE
from core.cli_proxy import Address, listening_at
from core.client_environment import NO_KEY, Target
from core.errors import ConfigError
from core.finding import Finding
from core.state.redis import StoreDown, version_of
from wasm_host import child, hardening
from wasm_host.compiler import unsafe_folder

PROMISE = (
    "An escape finds nothing: machine code that got out of the engine would reach no file, socket, process or key."
)
#: A worker is kept apart from the proxy; a rule in the proxy's own process is not, whatever the machine gives.
APART = "process"
#: Where rules run, if the configuration cannot be read.
UNKNOWN = "unknown"
#: What a layer needs; the kernel's reason stands beside it.
_NEEDS = {
    "landlock": "Linux 5.13 or later, with landlock among its lsm= modules",
    "seccomp": "a kernel with CONFIG_SECCOMP_FILTER",
}
_ROOM = "/proc, and in a container a profile that lets a process give up rights, as Docker's own does"
_PUT = "put it where the warning below says that it was looked for, and start the proxy again"


class Report(Struct, frozen=True, kw_only=True):
    """Everything that was found. `promised`: an escape from the engine finds nothing here; `promise` says it."""

    python: str
    system: str
    engine: str
    isolation: str
    settings: tuple[Finding, ...]
    keys: tuple[Finding, ...] = ()
    layers: tuple[Finding, ...]
    #: By name: versions, proxy, clients, machine, files, providers.
    sections: dict[str, tuple[Finding, ...]] = {}
    promised: bool
    promise: str


def examine(
    config: Path | None, env: Mapping[str, str], *, plugins: Path | None = None, online: bool = False
) -> Report:
    """Look at everything; a broken configuration is a finding like any other."""
    loaded = None
    try:
        loaded = settings.load(config, env, plugins=plugins)
    except ConfigError as exc:
        found = tuple(Finding("configuration", ok=False, state=str(problem)) for problem in exc.problems)
        isolation, keys = UNKNOWN, tuple[Finding, ...]()
    else:
        found, isolation, keys = _configuration(loaded), loaded.settings.plugins.isolation, keys_of(loaded)
    settings_found = (*found, _cache(settings.cache_dir(env)), _path())
    return assemble(hardening.supported(), isolation, settings_found, keys, sections(loaded, env, online=online))


def sections(
    loaded: settings.Loaded | None, env: Mapping[str, str], *, online: bool = False
) -> dict[str, tuple[Finding, ...]]:
    """What is not about rules. Without a usable configuration, what does not depend on it."""
    before, wall = time.monotonic(), time.time()
    found = {"versions": tuple(doctor_machine.versions(env))}
    machine = [doctor_machine.room(settings.state_dir(env)), doctor_machine.clock(wall, before, time.monotonic())]
    if loaded is not None:
        server = loaded.settings.server
        address = listening_at(server.host, server.port)
        found["proxy"] = tuple(doctor_reach.proxy(address))
        found["clients"] = _clients(loaded, env, address)
        machine += doctor_machine.limits(loaded)
    found["machine"] = tuple(machine)
    found["files"] = tuple(doctor_machine.permissions(doctor_machine.places(loaded, env)))
    if online and loaded is not None:
        found["providers"] = tuple(doctor_reach.online(loaded))
    return found


def _clients(loaded: settings.Loaded, env: Mapping[str, str], address: Address) -> tuple[Finding, ...]:
    """What would lead clients past the proxy, for somebody who starts them here."""
    secrets = list(loaded.secrets.clients)
    target = Target(address.url, address.host, secrets[0] if secrets else NO_KEY)
    found = doctor_clients.judge_environment(env, target, secrets)
    found += doctor_clients.judge_claude(cli_clients.claude_files(env, Path.cwd()), target, secrets)
    codex = cli_clients.codex_file(env)
    return (*found, doctor_clients.judge_codex(codex, target)) if codex else tuple(found)


def mend(config: Path | None, env: Mapping[str, str], agreed: Callable[[str], bool]) -> list[str]:
    """Make files of ours private again that others may read, each if `agreed`; what was done."""
    try:
        loaded = settings.load(config, env)
    except ConfigError:
        loaded = None
    found = doctor_machine.places(loaded, env)
    open_ = [path for path in found if not all(each.ok for each in doctor_machine.permissions([path]))]
    return [done for path in open_ if agreed(str(path)) and (done := doctor_machine.mend(path))]


def assemble(
    layers: Mapping[str, str],
    isolation: str,
    found: tuple[Finding, ...],
    keys: tuple[Finding, ...] = (),
    more: Mapping[str, tuple[Finding, ...]] | None = None,
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
            Finding(name, state == hardening.ON, state, "" if state == hardening.ON else _lack(name))
            for name, state in layers.items()
        ),
        sections=dict(more or {}),
        promised=promised,
        promise=PROMISE if promised else f"Not promised: {_why_not(layers, isolation)}.",
    )


def _lack(layer: str) -> str:
    """What the lack of a layer means, and what brings it back."""
    return f"{hardening.LACKS[layer]}; it needs {', '.join(filter(None, (_NEEDS.get(layer), _ROOM)))}"


def exit_code(report: Report) -> int:
    """0 if everything holds, 78 if the configuration cannot be used, else 1."""
    if any(finding.name == "configuration" and not finding.ok for finding in report.settings):
        return EXIT_CONFIG
    more = (finding for section in report.sections.values() for finding in section)
    good = report.promised and all(each.ok for each in (*report.settings, *report.keys, *report.layers, *more))
    return 0 if good else EXIT_FAILURE


def text(report: Report) -> str:
    """The report for people."""
    lines = [f"python {report.python}, {report.system}, {report.engine}", "", "settings"]
    lines += map(_line, report.settings)
    lines += ["", "keys", *map(_line, report.keys)] if report.keys else []
    for name, found in report.sections.items():
        width = max((len(finding.name) for finding in found), default=0)
        lines += ["", name, *(_line(finding, "WRONG  ", width) for finding in found)]
    lines += ["", "layers around a worker"]
    lines += map(_line, report.layers)
    return "\n".join([*lines, "", report.promise])


def _line(finding: Finding, lacks: str = "MISSING", width: int = 14) -> str:
    mark = "note   " if finding.note else "ok     " if finding.ok else lacks
    name = finding.name if lacks != "MISSING" else finding.name.replace("_", " ")
    said = f"  {mark}  {name:<{width}}  {finding.state}"
    return f"{said}\n{'':{width + 13}}{finding.hint}" if finding.hint else said


def _why_not(layers: Mapping[str, str], isolation: str) -> str:
    if isolation == UNKNOWN:
        return "the configuration cannot be used, so nobody knows where rules run"
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
        good = len(positions) >= wanted
        found.append(Finding(f"provider {name}", ok=good, state=state, hint="" if good else _PUT))
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
