"""What a stranger's machine code would try once it runs in a worker, as Python. Each raises OSError if held off."""

import ctypes
import errno
import fcntl
import mmap
import os
import resource
import signal
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from wasm_host import linux, seccomp

LIBC: Final = ctypes.CDLL(None, use_errno=True)
PROGRAM: Final = Path("/bin/true").read_bytes()
SECRET: Final = b"the prey's secret"
X86: Final = os.uname().machine == "x86_64"


class Prey(NamedTuple):
    """What is there to be reached. The descriptors are inherited by the attacker; `kept` is the one it may keep."""

    pid: int
    address: int
    file: str
    folder: int
    open_file: int
    datagram: int
    kept: int
    port: int
    unix: str
    abstract: str


Attack = Callable[[Prey], object]


def checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def call(name: str, *args: Any) -> int:
    """A function of the C library, or a system call by its number in our table."""
    words = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    numbers = seccomp.ALLOWED | seccomp.FATAL
    if name in numbers:
        number = numbers[name][0 if X86 else 1]
        return checked(LIBC.syscall(ctypes.c_long(number or 0), *words))
    return checked(getattr(LIBC, name)(*words))


def syscall(number: int, *args: Any) -> int:
    """A system call whose number is the same on every machine."""
    return checked(LIBC.syscall(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in args)))


def shared_memory_file(prey: Prey) -> None:
    path = f"/dev/shm/escape-{prey.pid}"  # noqa: S108
    os.open(path, os.O_CREAT | os.O_RDWR)
    Path(path).unlink()


def posix_messages(prey: Prey) -> None:
    name = f"/escape-{prey.pid}".encode()
    call("mq_open", name, os.O_CREAT | os.O_RDWR, 0o600, None)
    call("mq_unlink", name)


def openat2(prey: Prey) -> None:
    how = struct.pack("=QQQ", os.O_RDONLY, 0, 0)
    syscall(437, -100, prey.file.encode(), how, len(how))


def open_by_handle(prey: Prey) -> None:
    handle = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    call("name_to_handle_at", -100, prey.file.encode(), handle, ctypes.byref(mount), 0)


def import_module(_: Prey) -> None:
    import this  # noqa: F401, PLC0415


def accept_on_kept(prey: Prey) -> None:
    """What the kernel says of a connected socket is EINVAL: then the call was let through."""
    try:
        socket.socket(fileno=prey.kept).accept()
    except OSError as exc:
        if exc.errno != errno.EINVAL:
            raise


def send_elsewhere(prey: Prey) -> None:
    """From a connected datagram socket to another address: the worker's socket could be of that kind."""
    socket.socket(fileno=prey.datagram).sendto(b"x", prey.abstract + "d")


def type_into_terminal(prey: Prey) -> None:
    """ENOTTY: the call was let through, there is only no terminal."""
    try:
        fcntl.ioctl(prey.kept, 0x5412, b"x")
    except OSError as exc:
        if exc.errno != errno.ENOTTY:
            raise


def execute_from_memory(_: Prey) -> None:
    descriptor = os.memfd_create("program")
    os.write(descriptor, PROGRAM)
    call("execveat", descriptor, b"", (ctypes.c_char_p * 2)(b"x", None), (ctypes.c_char_p * 1)(None), 0x1000)


def fork(_: Prey) -> None:
    if os.fork() == 0:
        os._exit(0)


def start_thread(_: Prey) -> None:
    try:
        threading.Thread(target=int).start()
    except RuntimeError:
        raise PermissionError(errno.EPERM, "cannot start a thread") from None


def clone3(_: Prey) -> None:
    args = struct.pack("=8Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    if syscall(435, args, len(args)) == 0:
        os._exit(0)


def signal_by_owner(prey: Prey) -> None:
    """The kernel signals a descriptor's owner."""
    fcntl.fcntl(prey.kept, fcntl.F_SETOWN, prey.pid)


def vector(address: int) -> bytes:
    return struct.pack("@PL", address, len(SECRET))


def read_memory(prey: Prey) -> None:
    found = ctypes.create_string_buffer(len(SECRET))
    call("process_vm_readv", prey.pid, vector(ctypes.addressof(found)), 1, vector(prey.address), 1, 0)
    assert found.raw == SECRET


def write_memory(prey: Prey) -> None:
    same = ctypes.create_string_buffer(SECRET, len(SECRET))
    call("process_vm_writev", prey.pid, vector(ctypes.addressof(same)), 1, vector(prey.address), 1, 0)


def memory_file(prey: Prey) -> None:
    descriptor = os.open(f"/proc/{prey.pid}/mem", os.O_RDONLY)
    assert os.pread(descriptor, len(SECRET), prey.address) == SECRET


def compare(prey: Prey) -> None:
    LIBC.syscall.restype = ctypes.c_long
    checked(LIBC.syscall(ctypes.c_long(312 if X86 else 272), os.getpid(), prey.pid, 1, 0, 0))


def mount(prey: Prey) -> None:
    folder = str(Path(prey.file).parent).encode()
    call("mount", b"none", folder, b"tmpfs", 0, None)
    call("umount2", folder, 2)


def raise_limits(_: Prey) -> None:
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1, resource.RLIM_INFINITY))
    except ValueError as exc:
        raise PermissionError(errno.EPERM, str(exc)) from None


def another_filter(_: Prey) -> None:
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    linux.seccomp(struct.pack("<HBBI", 0x06, 0, 0, seccomp.ALLOW))


def machine_code(code: bytes) -> None:
    """Run it; it returns what the kernel returned."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    result = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    if result < 0:
        raise OSError(-result, os.strerror(-result))


def call_of_32_bits(_: Prey) -> None:
    """getpid, by the number and the gate of 32-bit programs, from a 64-bit one."""
    machine_code(bytes.fromhex("b814000000 cd80 c3"))


def call_of_x32(_: Prey) -> None:
    """getpid of the x32 ABI; a kernel without that ABI says ENOSYS."""
    machine_code(bytes.fromhex("b827000040 0f05 c3"))


FILES: Final[dict[str, Attack]] = {
    "read_file": lambda prey: Path(prey.file).read_bytes(),
    "write_file": lambda prey: Path(prey.file).write_bytes(b"changed"),
    "make_file": lambda prey: os.open(prey.file + ".new", os.O_CREAT | os.O_WRONLY),
    "nameless_file": lambda prey: os.open(str(Path(prey.file).parent), os.O_TMPFILE | os.O_RDWR),
    "file_by_open_folder": lambda prey: os.open(Path(prey.file).name, os.O_RDONLY, dir_fd=prey.folder),
    "inherited_file": lambda prey: os.read(prey.open_file, 1),
    "map_inherited_file": lambda prey: mmap.mmap(prey.open_file, 0, access=mmap.ACCESS_READ),
    "openat2": openat2,
    "open_by_handle": open_by_handle,
    "own_memory_file": lambda _: os.open("/proc/self/mem", os.O_RDWR),
    "own_descriptor_again": lambda _: os.open("/proc/self/fd/0", os.O_RDONLY),
    "shared_memory_file": shared_memory_file,
    "list_folder": lambda _: list(Path("/").iterdir()),
    "stat": lambda prey: Path(prey.file).stat(),
    "access": lambda prey: call("access", prey.file.encode(), 0),
    "read_link": lambda _: Path("/proc/self/exe").readlink(),
    "rename": lambda prey: Path(prey.file).rename(prey.file + ".moved"),
    "remove": lambda prey: Path(prey.file).unlink(),
    "make_folder": lambda prey: Path(prey.file + ".d").mkdir(),
    "symbolic_link": lambda prey: Path(prey.file + ".l").symlink_to("/"),
    "hard_link": lambda prey: Path(prey.file + ".h").hardlink_to(prey.file),
    "fifo": lambda prey: os.mkfifo(prey.file + ".f"),
    "change_mode": lambda prey: Path(prey.file).chmod(0o777),
    "truncate": lambda prey: os.truncate(prey.file, 1),
    "change_folder": lambda _: os.chdir("/proc"),
    "change_root": lambda _: os.chroot("/"),
    "watch_files": lambda _: call("inotify_init1", 0),
    "load_library": lambda _: ctypes.CDLL("libresolv.so.2"),
    "import_module": import_module,
}
TALK: Final[dict[str, Attack]] = {
    "socket_tcp": lambda _: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "socket_udp": lambda _: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "socket_tcp6": lambda _: socket.socket(socket.AF_INET6, socket.SOCK_STREAM),
    "socket_unix": lambda _: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "socket_netlink": lambda _: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "socket_packet": lambda _: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "socket_vsock": lambda _: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM),
    "socket_crypto": lambda _: socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET),
    "pair_of_sockets": lambda _: socket.socketpair(),
    "connect_tcp": lambda prey: socket.create_connection(("127.0.0.1", prey.port), timeout=5),
    "connect_unix": lambda prey: socket.socket(socket.AF_UNIX).connect(prey.unix),
    "connect_abstract": lambda prey: socket.socket(socket.AF_UNIX).connect(prey.abstract),
    "accept_on_kept": accept_on_kept,
    "send_elsewhere": send_elsewhere,
    "pass_descriptor": lambda prey: socket.send_fds(socket.socket(fileno=prey.kept), [b"x"], [0]),
    "system_v_memory": lambda _: call("shmctl", call("shmget", 0, 4096, 0o1600), 0, None),
    "system_v_messages": lambda _: call("msgctl", call("msgget", 0, 0o1600), 0, None),
    "system_v_semaphores": lambda _: call("semctl", call("semget", 0, 1, 0o1600), 0, 0),
    "posix_messages": posix_messages,
    "type_into_terminal": type_into_terminal,
}
PROCESSES: Final[dict[str, Attack]] = {
    "execute": lambda _: os.execv("/bin/true", ["true"]),  # noqa: S606
    "execute_from_memory": execute_from_memory,
    "spawn": lambda _: os.posix_spawn("/bin/true", ["true"], {}),
    "fork": fork,
    "start_thread": start_thread,
    "clone3": clone3,
    "signal_prey": lambda prey: os.kill(prey.pid, signal.SIGURG),
    "signal_everybody": lambda _: os.kill(0, 0),
    "signal_thread": lambda prey: call("tgkill", prey.pid, prey.pid, signal.SIGURG),
    "signal_thread_only": lambda prey: call("tkill", prey.pid, signal.SIGURG),
    "signal_queue": lambda prey: call(
        "rt_sigqueueinfo", prey.pid, signal.SIGURG, struct.pack("=iii", signal.SIGURG, 0, -1) + bytes(116)
    ),
    "signal_by_descriptor": lambda prey: signal.pidfd_send_signal(os.pidfd_open(prey.pid), signal.SIGURG),
    "signal_by_owner": signal_by_owner,
    "signal_by_owner_of_device": lambda prey: fcntl.ioctl(prey.kept, 0x8901, struct.pack("=i", prey.pid)),
    "trace": lambda prey: call("ptrace", 0x4206, prey.pid, 0, 0),  # PTRACE_SEIZE
    "read_memory": read_memory,
    "write_memory": write_memory,
    "memory_file": memory_file,
    "environment_file": lambda prey: Path(f"/proc/{prey.pid}/environ").read_bytes(),
    "take_descriptor": lambda prey: call("pidfd_getfd", os.pidfd_open(prey.pid), 0, 0),
    "advise_memory": lambda prey: syscall(440, os.pidfd_open(prey.pid), vector(prey.address & -4096), 1, 20, 0),
    "compare": compare,
    "limit_prey": lambda prey: resource.prlimit(prey.pid, resource.RLIMIT_CORE),
    "slow_prey": lambda prey: os.setpriority(os.PRIO_PROCESS, prey.pid, 1),
    "move_prey": lambda prey: os.sched_setaffinity(prey.pid, {0}),
}
KERNEL: Final[dict[str, Attack]] = {
    "io_ring": lambda _: call("io_uring_setup", 1, bytes(120)),
    "bpf": lambda _: call("bpf", 0, struct.pack("=IIIII", 2, 4, 4, 1, 0) + bytes(100), 120),
    "user_faults": lambda _: call("userfaultfd", 1),
    "performance_events": lambda _: call("perf_event_open", struct.pack("=IIQ", 1, 112, 0) + bytes(96), 0, -1, -1, 0),
    "own_namespace": lambda _: call("unshare", 0x1000_0000),
    "other_namespace": lambda prey: call("setns", os.pidfd_open(prey.pid), 0x0400_0000),
    "mount": mount,
    "keys": lambda _: call("keyctl", 0, -3, 1),
    "kernel_log": lambda _: call("klogctl", 10, None, 0),
    "personality": lambda _: call("personality", 0x0040000),
    "become_root": lambda _: os.setuid(0),
    "raise_limits": raise_limits,
    "undo_no_dump": lambda _: linux.prctl(linux.PR_SET_DUMPABLE, 1),
    "another_filter": another_filter,
    "timer": lambda _: signal.setitimer(signal.ITIMER_REAL, 100),
    "call_of_32_bits": call_of_32_bits,
    "call_of_x32": call_of_x32,
}
ATTACKS: Final = FILES | TALK | PROCESSES | KERNEL
if not X86:
    del ATTACKS["call_of_32_bits"], ATTACKS["call_of_x32"]
