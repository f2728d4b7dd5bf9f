"""The rule contract `terraphim-rule/1`, once: names, types, limits, outcome codes and shapes, and nothing else.

Version 1 may grow fields and optional exports; nothing in it is removed or changes its meaning. The version is part
of the exports' names, so that the host knows it without running the guest.

Life of a call, all in one fresh instance. A reactor: start function, `_initialize`, `rule_v1_alloc(len)`, the host
writes the request there as UTF-8 JSON, `rule_v1_route(ptr, len)`, the host reads the answer and drops the instance. A
command: start function, `_start`, which reads the request from its standard input and writes the answer to its standard
output. A module that could be both is a reactor.
"""

from typing import Any, Final, NamedTuple

VERSION: Final = 1
NAME: Final = "terraphim-rule/1"

MEMORY: Final = "memory"
ALLOC: Final = "rule_v1_alloc"
ROUTE: Final = "rule_v1_route"
DESCRIBE: Final = "rule_v1_describe"
INITIALIZE: Final = "_initialize"
START: Final = "_start"
METADATA_SECTION: Final = "terraphim.rule.v1"


class Signature(NamedTuple):
    """A function's type: value types as the text format writes them."""

    params: tuple[str, ...]
    results: tuple[str, ...]

    def __str__(self) -> str:
        # A stranger's type may be megabytes long, and is quoted in messages.
        params, results = (", ".join(kinds[:9]) + ", …" * (len(kinds) > 9) for kinds in self)
        return f"({params}) -> ({results})"


#: Function exports a reactor must have. `alloc`: length -> pointer, 0 refuses. `route`: pointer, length -> answer as
#: `pointer << 32 | length`, owned by the guest; 0 abstains.
REQUIRED_EXPORTS: Final = {
    ALLOC: Signature(("i32",), ("i32",)),
    ROUTE: Signature(("i32", "i32"), ("i64",)),
}
#: Exports that must have this type if they are there. `describe` returns metadata JSON as `route` returns an answer.
OPTIONAL_EXPORTS: Final = {
    DESCRIBE: Signature((), ("i64",)),
    INITIALIZE: Signature((), ()),
}
#: A command's one function.
COMMAND_EXPORTS: Final = {START: Signature((), ())}
#: The outside world of a guest: `log(level, ptr, len)`, UTF-8 text, levels as in `LOG_LEVELS`.
ALLOWED_IMPORTS: Final = {("terraphim", "log"): Signature(("i32", "i32", "i32"), ())}
#: Or WASI preview 1, whose functions are all there, with these types; what they answer is in `wasi`.
WASI: Final = "wasi_snapshot_preview1"
_ERRNO: Final = ("i32",)
WASI_IMPORTS: Final = {
    name: Signature(tuple("i32" if kind == "i" else "i64" for kind in kinds), () if name == "proc_exit" else _ERRNO)
    for name, kinds in {
        "args_get": "ii", "args_sizes_get": "ii", "environ_get": "ii", "environ_sizes_get": "ii",
        "clock_res_get": "ii", "clock_time_get": "iIi", "fd_advise": "iIIi", "fd_allocate": "iII", "fd_close": "i",
        "fd_datasync": "i", "fd_fdstat_get": "ii", "fd_fdstat_set_flags": "ii", "fd_fdstat_set_rights": "iII",
        "fd_filestat_get": "ii", "fd_filestat_set_size": "iI", "fd_filestat_set_times": "iIIi", "fd_pread": "iiiIi",
        "fd_prestat_get": "ii", "fd_prestat_dir_name": "iii", "fd_pwrite": "iiiIi", "fd_read": "iiii",
        "fd_readdir": "iiiIi", "fd_renumber": "ii", "fd_seek": "iIii", "fd_sync": "i", "fd_tell": "ii",
        "fd_write": "iiii", "path_create_directory": "iii", "path_filestat_get": "iiiii",
        "path_filestat_set_times": "iiiiIIi", "path_link": "iiiiiii", "path_open": "iiiiiIIii",
        "path_readlink": "iiiiii", "path_remove_directory": "iii", "path_rename": "iiiiii", "path_symlink": "iiiii",
        "path_unlink_file": "iii", "poll_oneoff": "iiii", "proc_exit": "i", "proc_raise": "i", "random_get": "ii",
        "sched_yield": "", "sock_accept": "iii", "sock_recv": "iiiiii", "sock_send": "iiiii", "sock_shutdown": "ii",
    }.items()
}  # fmt: skip
IMPORTS: Final = ALLOWED_IMPORTS | {(WASI, name): signature for name, signature in WASI_IMPORTS.items()}
#: Fuel that every call of an import costs, and one for each byte that it names: the host's time is the guest's.
HOST_CALL: Final = 5_000
LOG_LEVELS: Final = ("trace", "debug", "info", "warn", "error")

KIB: Final = 1024
MIB: Final = 1024 * KIB
PAGE: Final = 64 * KIB


class Limit(NamedTuple):
    """What a rule gets unless told otherwise, and the most that an operator may give it."""

    default: int
    cap: int


#: Settable limits, by their key in a manifest's `[limits]`: bytes, instructions (wasmtime's fuel), milliseconds.
LIMITS: Final = {
    "module": Limit(8 * MIB, 64 * MIB),
    "memory": Limit(16 * MIB, 256 * MIB),
    "fuel": Limit(10_000_000, 200_000_000),
    "timeout_ms": Limit(100, 2_000),
    "request": Limit(4 * KIB, 256 * KIB),
}

#: Fixed limits.
FUNCTION_BODY: Final = 256 * KIB
FUNCTIONS: Final = 50_000
TABLES: Final = 4
TABLE_ELEMENTS: Final = 20_000
EXPORTS: Final = 1_000
STACK: Final = 256 * KIB
ANSWER: Final = 16 * KIB
ANSWER_DEPTH: Final = 32
LOG: Final = 4 * KIB
METADATA: Final = 16 * KIB
#: `request.last_user` of a rule that declares no input, in Unicode scalar values.
LAST_USER_DEFAULT: Final = 1_000

#: Compilation, in a child: address space in bytes; CPU seconds = base + per MiB of code section beyond what is free, at
#: most `CPU_MAX`.
COMPILE_MEMORY: Final = 1024 * MIB
COMPILE_CPU_BASE: Final = 2
COMPILE_CPU_PER_MIB: Final = 8
COMPILE_CODE_FREE: Final = 256 * KIB
COMPILE_CPU_MAX: Final = 30
COMPILE_NICENESS: Final = 19

#: What came of asking a rule. The first three are answers, `error` is the guest's own word, the rest are faults.
OUTCOMES: Final = {
    "route": "named a configured target",
    "abstain": "had nothing to say",
    "deny": "refused the request, as its operator allows",
    "error": "said that it failed, or had no room for the request",
    "trap": "did something that WebAssembly forbids, or ran out of memory or stack",
    "fuel": "executed more instructions than its limit",
    "timeout": "ran longer than its limit",
    "crash": "took its process with it, or could not be started",
    "refused": "answered something that is not legal",
    "skipped": "was not asked: the request is too large for it, its breaker is open, or it is in quarantine",
}
FAULTS: Final = frozenset({"error", "trap", "fuel", "timeout", "crash", "refused", "skipped"})

#: Answers. A reason and an error code are codes, so that they can be counted; a score is 0 to 1000.
REASON_PATTERN: Final = r"^[a-z0-9_.:-]{1,64}$"
SCORE_MAX: Final = 1_000
DENY_STATUSES: Final = (400, 402, 403, 429, 503)
MESSAGE: Final = 500
#: The status of `fail = "deny"`.
FAIL_STATUS: Final = 503

#: A rule's file, binary or text; its name is the file's stem.
SUFFIXES: Final = (".wasm", ".wat")
NAME_PATTERN: Final = r"^[a-z0-9_-]{1,64}$"

#: The request, in its key order. `session`, texts and headers are absent unless declared and granted.
REQUEST_KEYS: Final = (
    "abi", "now_ms", "tz_offset_min", "seed", "request", "scenario", "session", "client", "headers", "targets",
    "config", "truncated",
)  # fmt: skip
#: `request.*` in key order; texts come last, in `TEXT_KEYS`.
REQUEST_FIELDS: Final = (
    "dialect", "model", "stream", "max_tokens", "token_count", "message_count", "tools", "thinking", "web_search",
    "images", "class", "plan_mode",
)  # fmt: skip
#: Texts of the user's; each needs a grant. `messages` is the whole conversation as JSON and cannot be cut.
TEXT_KEYS: Final = ("last_user", "system", "messages")
#: A header whose name contains one of these is never shown to a rule.
SECRET_HEADERS: Final = ("authorization", "cookie", "key", "token", "secret", "credential", "password")

#: A whole request, as documentation and for the call that every module must survive before it is used.
EXAMPLE: Final[dict[str, Any]] = {
    "abi": 1,
    "now_ms": 1_763_800_000_000,
    "tz_offset_min": 60,
    "seed": 42,
    "request": {
        "dialect": "anthropic",
        "model": "claude-sonnet-4-5",
        "stream": True,
        "max_tokens": 4096,
        "token_count": 71_234,
        "message_count": 31,
        "tools": ["Bash", "Read"],
        "thinking": "medium",
        "web_search": False,
        "images": 0,
        "class": "main",
        "plan_mode": False,
        "last_user": "Why does the build fail?",
    },
    "scenario": ["thinking"],
    "session": {
        "turns": 12,
        "last_target": "anthropic,claude-sonnet-4-5",
        "last_input_tokens": 68_000,
        "cached_prefix_tokens": 64_000,
    },
    "client": {"key": "laptop", "agent": "claude-code"},
    "targets": [
        {
            "name": "anthropic,claude-sonnet-4-5",
            "context_window": 200_000,
            "images": True,
            "tools": True,
            "thinking": True,
            "price": {"input": 3_000_000, "output": 15_000_000, "cache_read": 300_000},
            "healthy": True,
            "p50_ms": 900,
            "budget_left": 12_500_000,
        }
    ],
    "config": {},
}
