"""What holds machine code that escaped from the engine: each attack of `escape` against each layer, on this kernel."""

import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import msgspec
import pytest
from attacks import ATTACKS
from facts import ROOT

from wasm_host import hardening, linux

PATIENCE_S = 60
PATHS = [str(ROOT), str(Path(__file__).parent)]
NOBODY = 65534
#: As the user of the tests, and as an unprivileged one.
USERS = sorted({os.getuid(), os.getuid() or NOBODY})

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's")


def landlock_version() -> int:
    try:
        return linux.landlock_version()
    except OSError:
        return 0


LANDLOCK = landlock_version()
needs_landlock = pytest.mark.skipif(LANDLOCK == 0, reason="this kernel has no Landlock")


#: What Landlock holds off by itself, since the version of its ABI. It says nothing of metadata, sockets but TCP, open
#: descriptors, starting processes and the rest of the kernel.
LANDLOCK_HOLDS = {
    "read_file": 1, "write_file": 1, "make_file": 1, "nameless_file": 1, "file_by_open_folder": 1, "openat2": 1,
    "own_memory_file": 1, "shared_memory_file": 1, "list_folder": 1, "rename": 1, "remove": 1, "make_folder": 1,
    "symbolic_link": 1, "hard_link": 1, "fifo": 1, "truncate": 3, "load_library": 1, "import_module": 1,
    "posix_messages": 1, "execute": 1, "execute_from_memory": 1, "spawn": 1, "trace": 1, "read_memory": 1,
    "write_memory": 1, "memory_file": 1, "environment_file": 1, "take_descriptor": 1, "compare": 1, "mount": 1,
    "other_namespace": 1, "connect_tcp": 4, "connect_abstract": 6, "send_elsewhere": 6, "signal_prey": 6,
    "signal_thread": 6, "signal_thread_only": 6, "signal_queue": 6, "signal_by_descriptor": 6,
}  # fmt: skip
#: What reads or changes the memory of another process of the same user.
MEMORY = ("read_memory", "write_memory", "memory_file", "environment_file", "trace", "take_descriptor")
#: A real worker takes a third of a second to be ready: of each kind of attack some.
IN_A_WORKER = (
    "read_file", "make_file", "inherited_file", "own_memory_file", "stat", "load_library", "socket_tcp",
    "connect_unix", "connect_abstract", "pass_descriptor", "system_v_memory", "execute", "fork", "start_thread",
    "signal_prey", "signal_thread", "signal_by_owner", "read_memory", "memory_file", "io_ring", "own_namespace",
    "raise_limits", "another_filter",
)  # fmt: skip
#: Layers that are not tried against every attack.
TRIED: Mapping[str, Iterable[str]] = {"landlock": LANDLOCK_HOLDS, "protected": MEMORY, "worker": IN_A_WORKER}


def python(
    code: str, *args: str, stdin: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process with nothing of ours; the packages and the tests' helpers can be imported."""
    boot = f"import sys; sys.path[:0] = {PATHS}\n{code}"
    return subprocess.run(
        [sys.executable, "-I", "-c", boot, *args],
        input=stdin, env=env or {}, cwd="/", capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


@cache
def outcomes(layers: str, uid: int) -> dict[str, str]:
    """What came of every attack: `reached`, the error's name, or the signal that ended the attacker."""
    names = msgspec.json.encode(list(TRIED.get(layers, ATTACKS))).decode()
    done = python("import escape; escape.main(sys.argv[1], int(sys.argv[2]))", layers, str(uid), stdin=names)
    assert done.returncode == 0, done.stderr
    return dict(msgspec.json.decode(line, type=tuple[str, str]) for line in done.stdout.splitlines())


def possible(attack: str, uid: int) -> None:
    """An attack that fails without any layer shows nothing."""
    if (found := outcomes("none", uid)[attack]) != "reached":
        pytest.skip(f"impossible here for user {uid} without any layer: {found}")


#: How the layers hold these off, if not with EPERM or SIGSYS.
OTHERWISE = {"inherited_file": {"EBADF"}, "load_library": {"failed"}, "import_module": {"failed"}}


@pytest.mark.parametrize("uid", USERS)
@pytest.mark.parametrize("attack", ATTACKS)
@needs_landlock
def test_nothing_can_be_reached(attack: str, uid: int) -> None:
    possible(attack, uid)
    assert outcomes("all", uid)[attack] in OTHERWISE.get(attack, {"EPERM", "SIGSYS"})


@pytest.mark.parametrize("attack", IN_A_WORKER)
@needs_landlock
def test_nothing_can_be_reached_from_a_real_worker(attack: str) -> None:
    possible(attack, USERS[0])
    assert outcomes("worker", USERS[0])[attack] in OTHERWISE.get(attack, {"EPERM", "SIGSYS"})


@pytest.mark.parametrize("attack", ATTACKS)
@needs_landlock
def test_nothing_can_be_reached_from_a_thread_that_was_there_before(attack: str) -> None:
    possible(attack, USERS[0])
    assert outcomes("thread", USERS[0])[attack] in OTHERWISE.get(attack, {"EPERM", "SIGSYS"})


@pytest.mark.parametrize(
    "attack",
    [
        "execute", "execute_from_memory", "trace", "read_memory", "write_memory", "signal_prey", "signal_thread_only",
        "signal_queue", "signal_by_descriptor", "take_descriptor", "io_ring", "bpf", "user_faults",
        "performance_events", "own_namespace", "other_namespace", "mount", "keys",
    ],
)  # fmt: skip
def test_who_tries_this_is_ended(attack: str) -> None:
    """So that the parent learns of it; nobody tries these for convenience."""
    possible(attack, USERS[0])
    assert outcomes("seccomp", USERS[0])[attack] == "SIGSYS"


@pytest.mark.parametrize("attack", ATTACKS)
def test_seccomp_alone_leaves_only_what_is_open_already(attack: str) -> None:
    possible(attack, USERS[0])
    held = outcomes("seccomp", USERS[0])[attack] in OTHERWISE.get(attack, {"EPERM", "SIGSYS"})
    assert held != (attack == "inherited_file")


@pytest.mark.parametrize("attack", LANDLOCK_HOLDS)
@needs_landlock
def test_landlock_alone_keeps_from_files_and_processes(attack: str) -> None:
    if LANDLOCK_HOLDS[attack] > LANDLOCK:
        pytest.skip(f"needs version {LANDLOCK_HOLDS[attack]} of Landlock's ABI, this kernel has {LANDLOCK}")
    possible(attack, USERS[0])
    assert outcomes("landlock", USERS[0])[attack] in {"EACCES", "EPERM", "failed"}


@pytest.mark.parametrize("attack", MEMORY)
def test_a_protected_process_is_closed_to_others_of_its_user(attack: str) -> None:
    uid = USERS[-1]
    possible(attack, uid)
    assert outcomes("protected", uid)[attack] in {"EPERM", "EACCES"}


# What the kernel says of a hardened process


LOCKED = """
import os, threading
from wasm_host import hardening
if os.getuid() == 0:
    os.setgroups([1, 2])
reader, writer = os.pipe()
saying = os.dup(1)
thread = threading.Thread(target=os.read, args=(reader, 1), daemon=True)
layers = hardening.apply([reader, writer, saying], start=thread.start)
os.write(saying, repr(layers).encode() + b"\\n")
os.read(reader, 1)
"""


def test_the_kernel_agrees() -> None:
    boot = f"import sys; sys.path[:0] = {PATHS}\n{LOCKED}"
    command = [sys.executable, "-I", "-c", boot]
    with subprocess.Popen(command, env={}, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            proc = Path(f"/proc/{process.pid}")
            threads = [status(task / "status") for task in (proc / "task").iterdir()]
            limits = (proc / "limits").read_text()
        finally:
            process.kill()
    assert len(threads) == 2
    for thread in threads:
        assert thread["NoNewPrivs"] == "1"
        assert thread["Seccomp"] == "2"
        assert {int(thread[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
        assert "0" not in thread["Uid"].split()
        if os.getuid() == 0:
            assert int(thread["CapBnd"], 16) == 0
            assert thread["Uid"].split() == thread["Gid"].split() == [str(NOBODY)] * 4
            assert thread["Groups"] == ""
    for name, value in (("processes", 0), ("core file size", 0), ("open files", hardening.DESCRIPTORS),
                        ("address space", hardening.ADDRESS_SPACE)):  # fmt: skip
        assert f"Max {name} ".ljust(26) + f"{value:<21}" * 2 in limits


def status(path: Path) -> dict[str, str]:
    pairs = (line.partition(":") for line in path.read_text().splitlines())
    return {name: value.strip() for name, _, value in pairs}


def test_only_what_is_kept_stays_open() -> None:
    code = """
import os
from wasm_host import hardening
saying = os.dup(1)
opened = [os.open("/", 0), os.dup(0)]
hardening._BEFORE["descriptors"].take([saying])
numbers = [number for number in (0, 1, 2, *opened) if os.path.lexists(f"/proc/self/fd/{number}")]
left = {number: os.readlink(f"/proc/self/fd/{number}") for number in numbers}
os.write(saying, repr((left, os.getcwd())).encode())
"""
    done = python(code)
    assert done.stdout == repr((dict.fromkeys(range(3), "/dev/null"), "/")), done.stderr


# Whether what cannot be had is said


def layers_of(code: str, env: dict[str, str] | None = None) -> dict[str, str]:
    done = python(
        f"{code}\nimport os, msgspec; from wasm_host import hardening, seccomp; saying = os.dup(1)\n"
        "os.write(saying, msgspec.json.encode(hardening.apply([saying])))",
        env=env,
    )
    return msgspec.json.decode(done.stdout, type=dict[str, str])


def missing(layers: dict[str, str]) -> dict[str, str]:
    return {name: state for name, state in layers.items() if state != hardening.ON}


@needs_landlock
def test_all_layers_hold_here() -> None:
    found = hardening.supported()
    assert missing(found) == {}
    assert set(found) == set(hardening.LACKS)
    assert hardening.promised(found)


def test_the_c_librarys_environment_is_emptied() -> None:
    code = """
import ctypes, os
from wasm_host import hardening
os.putenv("API_KEY", "sk-canary")
getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p
saying, before = os.dup(1), getenv(b"API_KEY")
hardening.apply([saying])
os.write(saying, repr((before, getenv(b"API_KEY"))).encode())
"""
    assert python(code).stdout == "(b'sk-canary', None)"


def test_a_process_started_with_an_environment() -> None:
    found = layers_of("", {"API_KEY": "sk-canary"})
    assert found["environment"] == "the process was started with an environment"
    assert not hardening.promised(found | {"proxy_memory": hardening.ON})


def test_threads_that_were_there_before() -> None:
    code = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    expected = dict.fromkeys(
        ["landlock"] + ["capabilities"] * (os.getuid() == 0), "1 other threads were started before"
    )
    assert missing(layers_of(code)).items() >= expected.items()


@pytest.mark.skipif(os.getuid() != 0, reason="only root has capabilities to lose")
def test_a_user_namespace_without_the_user() -> None:
    code = """
import os
from wasm_host import hardening, linux
def refuse(*_): raise OSError(22, "Invalid argument")
os.setresuid = refuse
print([hardening._take(hardening._BEFORE["capabilities"], []), linux.capabilities()])
"""
    assert python(code).stdout == "['Invalid argument', 0]\n"


MACHINE = """
import os, types
from wasm_host import hardening
os.uname = lambda: types.SimpleNamespace(machine={machine!r}, sysname={system!r})
"""


def test_a_machine_without_a_table() -> None:
    assert layers_of(MACHINE.format(machine="m68k", system="Linux"))["seccomp"] == "no table of system calls for m68k"


def test_another_system() -> None:
    found = layers_of(MACHINE.format(machine="arm64", system="Darwin"))
    assert set(found.values()) == {"needs Linux"}
    assert not hardening.promised(found)


def test_a_kernel_that_refuses() -> None:
    code = (
        "from wasm_host import linux\n"
        "def refuse(*_): raise OSError(38, 'Function not implemented')\n"
        "linux.landlock = linux.seccomp = refuse"
    )
    expected = {"landlock": "Function not implemented", "seccomp": "Function not implemented"}
    assert missing(layers_of(code)) == expected


@pytest.mark.parametrize("name", ["landlock", "seccomp"])
def test_a_call_that_does_nothing_is_noticed(name: str) -> None:
    """As under an emulator of system calls that says yes to everything."""
    found = layers_of("from wasm_host import linux; linux.landlock = linux.seccomp = lambda *_: None")
    assert found[name] == "files can still be opened"


def test_a_probe_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    found = hardening.supported()
    assert set(found) == set(hardening.LACKS)
    assert all(state.startswith("the probe failed (status 1): ") for state in found.values())


@pytest.mark.parametrize("name", sorted(hardening.LACKS))
def test_the_promise_needs_every_layer(name: str) -> None:
    every = dict.fromkeys(hardening.LACKS, hardening.ON)
    assert hardening.promised(every)
    assert not hardening.promised(every | {name: "no"})
    assert not hardening.promised({key: state for key, state in every.items() if key != name})


def test_aborting_still_says_so() -> None:
    done = python("import os; from wasm_host import hardening; hardening.apply([]); os.abort()")
    assert done.returncode == -signal.SIGABRT


# The engine must not notice


ENGINE = """
import os
import wasmtime
from types import SimpleNamespace
from wasm_host import engine, hardening, native, paths, public
from wasm_host.guest import execute
from wasm_modules import answering, running

TEXTS = [answering("hello"), running("unreachable"), running("(loop $l (br $l)) (i64.const 0)"),
         running("(drop (memory.grow (i32.const 100))) (i64.const 0)"),
         running("(call $log (i32.const 1) (i32.const 8) (i32.const 1)) (i64.const 0)").replace(
             "(module", '(module (import "terraphim" "log" (func $log (param i32 i32 i32)))', 1)]
SMALL, LARGE = 1 << 24, 1 << 28  # on the pooled engine, and on the other one
codes = [bytes(wasmtime.Module(engine.for_memory(SMALL), text).serialize()) for text in TEXTS]
saying = os.dup(1)
layers = hardening.apply([saying], start=paths.serving)
serving = paths.serving()
said = [serving.path, *sorted(set(layers.values()))]
for memory, fuel in ((SMALL, 10**6), (LARGE, 10**6), (SMALL, 10**15)):
    limits = SimpleNamespace(fuel=fuel, memory=memory, timeout_ms=20)
    for code in codes:
        prepared = serving.runtime.prepare(code, memory)
        [once, again] = [execute(serving.runtime, prepared, b"{}", limits, now_ms=1, seed=2) for _ in range(2)]
        said.append((again.fault.code if again.fault else again.answer, again.pages, again.log))
os.write(saying, repr(said).encode())
"""


@needs_landlock
def test_the_engine_works_behind_all_layers() -> None:
    """Code from bytes, on an engine that was there and on a new one; traps, fuel, growth, log, a clock in a thread."""
    done = python(ENGINE)
    calls = [(b"hello", 5, ""), ("trap", 5, ""), ("fuel", 5, ""), (b"", 105, ""), (b"", 5, "debug:  ")]
    slow = [*calls[:2], ("timeout", 5, ""), *calls[3:]]
    assert done.stdout == repr(["native", "on", *calls, *calls, *slow]), done.stderr


def test_the_documented_machines_have_tables() -> None:
    assert platform.machine() not in {"x86_64", "aarch64"} or "no table" not in hardening.supported()["seccomp"]
