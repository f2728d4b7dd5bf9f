"""What `doctor` finds of this machine: versions, limits, room, clocks, and who may read our files."""

import os
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from core import __version__, descriptors, resident, settings
from core.admin_token import NAME as TOKEN
from core.client_files import SETTINGS
from core.finding import Finding, note, wrong
from core.recording import decisions_of, file_of
from core.snapshots import NAME as SNAPSHOTS
from core.visible import visible

MIB: Final = 1 << 20
#: Less room than this, and records, compiled rules or snapshots will soon not be written.
ROOM: Final = 200 * MIB
#: Less memory than this is too little for a proxy with its workers.
MEMORY: Final = 256 * MIB
#: No clock of a machine that has this program is right before that (Unix time).
EPOCH: Final = 1_760_000_000
#: Seconds that a client may take to say its version.
_PATIENCE_S: Final = 5


def versions(env: Mapping[str, str]) -> Iterator[Finding]:
    """Of this program and of the clients that are installed."""
    yield Finding("terraphim-proxy", ok=True, state=__version__)
    for name in ("claude", "codex"):
        program = shutil.which(name, path=env.get("PATH"))
        yield note(name, "not in PATH") if program is None else Finding(name, ok=True, state=_version(program, env))


def _version(program: str, env: Mapping[str, str]) -> str:
    """What `PROGRAM --version` says; it sees no key."""
    kept = {name: env[name] for name in ("PATH", "HOME", "LANG") if name in env}
    try:
        done = subprocess.run(  # noqa: S603  # the client that the user would start
            [program, "--version"],
            env=kept,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return f"{program}: says no version ({type(exc).__name__})"
    said = done.stdout.decode("utf-8", "replace").partition("\n")[0]
    return f"{visible(said.strip() or 'says no version', 60)} ({program})"


def limits(loaded: settings.Loaded) -> Iterator[Finding]:
    """Descriptors and memory, beside what the configuration wants of them."""
    server = loaded.settings.server
    room, wanted = descriptors.raised(), server.max_connections
    if not room:
        yield Finding("descriptors", ok=True, state="no limit")
    elif (fit := descriptors.connections(room)) < wanted:
        fix = f"ulimit -Hn {wanted + descriptors.RESERVED} (systemd: LimitNOFILE=), or server.max_connections = {fit}"
        yield wrong("descriptors", f"{room}: room for {fit} connections of server.max_connections = {wanted}", fix)
    else:
        yield Finding("descriptors", ok=True, state=f"{room}")
    yield memory(resident.cgroup_limit(), resident.default_watermark(), server.max_memory_mb * MIB)


def memory(group: int, free_share: int, wanted: int) -> Finding:
    """In bytes: the control group's limit, what the proxy would use, what is configured; 0 is none. Pure."""
    told = f"uses at most {(wanted or free_share) // MIB} MiB" if wanted or free_share else "not told by the system"
    limit = f", control group {group // MIB} MiB" if group else ""
    if group and wanted > group:
        fix = f"server.max_memory_mb = {int(group * resident.OF_LIMIT) // MIB}"
        return wrong("memory", f"server.max_memory_mb is over the control group's {group // MIB} MiB", fix)
    if free_share and free_share < MEMORY:
        return wrong(
            "memory", f"{told}{limit}: too little for workers and streams", "give the machine or container more"
        )
    return Finding("memory", ok=True, state=f"{told}{limit}")


def room(folder: Path) -> Finding:
    """On the disk of the state folder."""
    there = next(each for each in (folder, *folder.parents) if os.access(each, os.F_OK))
    free = shutil.disk_usage(there).free
    if free < ROOM:
        return wrong("disk", f"{free // MIB} MiB free at {there}", "make room, or set XDG_STATE_HOME or records.max_mb")
    return Finding("disk", ok=True, state=f"{free // MIB} MiB free at {there}")


def clock(wall: float, before: float, after: float) -> Finding:
    """The clock of the wall (Unix time), and two readings of the monotonic one, in order. Pure."""
    if wall < EPOCH:
        told = (
            f"{time.strftime('%Y-%m-%d', time.gmtime(max(wall, 0)))}: certificates, budgets and records need the date"
        )
        return wrong("clock", told, "set it, as with: timedatectl set-ntp true")
    if after < before:
        return wrong(
            "clock", "the monotonic clock runs backwards: time-outs cannot work", "report this machine's kernel"
        )
    return Finding("clock", ok=True, state=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(wall)))


def places(loaded: settings.Loaded | None, env: Mapping[str, str]) -> list[Path]:
    """Files and folders of ours that nobody else may read."""
    state = settings.state_dir(env)
    found = [state, state / TOKEN, state / SNAPSHOTS, state / "serve.log", *state.glob(SETTINGS.format("*"))]
    if loaded is not None:
        records = loaded.settings.records
        found += [each for each in (file_of(records, state), decisions_of(records, state)) if each]
    return list(dict.fromkeys(each for each in found if os.path.lexists(each)))


def permissions(found: list[Path]) -> Iterator[Finding]:
    """Whose they are, and who may read them."""
    for path in found:
        try:
            info = path.stat()
        except OSError as exc:
            yield wrong(path.name, f"{path}: {exc.strerror}", f"look at it: ls -ld {path}")
            continue
        folder = stat.S_ISDIR(info.st_mode)
        mode = 0o700 if folder else 0o600
        if info.st_uid not in {os.geteuid(), 0}:
            yield wrong(path.name, f"{path}: belongs to user {info.st_uid}", f"chown {os.geteuid()} {path}")
        elif stat.S_IMODE(info.st_mode) & ~mode & 0o077:
            told = f"{path}: others may read it (mode {stat.S_IMODE(info.st_mode):o})"
            yield wrong(path.name, told, f"chmod {mode:o} {path}")
        else:
            yield Finding(path.name, ok=True, state=str(path))


def mend(path: Path) -> str:
    """Take from others what they may do with a file or folder of this user's; what was done, empty if nothing. A link
    is not followed, and what belongs to somebody else is left alone.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        info = os.fstat(handle)
        kind = stat.S_IFMT(info.st_mode)
        mode = {stat.S_IFDIR: 0o700, stat.S_IFREG: 0o600}.get(kind)
        if mode is None or info.st_uid != os.geteuid() or not stat.S_IMODE(info.st_mode) & 0o077:
            return ""
        os.fchmod(handle, mode)
    finally:
        os.close(handle)
    return f"chmod {mode:o} {path}"
