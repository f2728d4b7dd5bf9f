"""Promise: no key reaches a log, a metric, an answer, a record, Redis or another process, in any encoding."""

import random
import shutil
import signal
import string
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Final

import uvloop
from redis_server import RedisServer, free_port, redis_running

from bench import children
from core.cli_common import EXIT_CONFIG
from core.state.ledger import entries
from prove import rig, truth
from prove.canary_requests import ANTHROPIC, bugs, misplaced, request, said
from prove.canary_search import Search
from prove.oracle import Verdict
from prove.oracle_http import Reply
from prove.rig import Ask
from prove.scene import wait
from prove.section import Section, tally
from prove.smuggling import sent

_CHARACTERS: Final = string.ascii_letters + string.digits
#: Somebody to ask, who answers well if he is told to.
MODEL: Final = "anthropic-main,m"
GOOD: Final = "[[fault good_text 1 0123456789ab]]"
ENDLESS: Final = "[[fault endless 1 0123456789ab]]"
#: Requests at once.
_AT_ONCE: Final = 8
_PATIENCE_S: Final = 20.0


def secret(name: str) -> str:
    """A key that looks like one, half of them with characters that some encodings change. The same in each run."""
    rng = random.Random(name)  # noqa: S311 - reproducible on purpose
    drawn = "".join(rng.choices(_CHARACTERS, k=36))
    slash, plus = rng.choice(("/+", "--"))
    return f"sk-{drawn[:12]}{slash}{drawn[12:24]}{plus}{drawn[24:]}"


CLIENTS: Final = {name: secret(name) for name in ("client laptop", "client ci, first", "client ci, second")}
PROVIDERS: Final = {name: secret(name) for name in ("provider one", "provider two")}
REDIS: Final = {"Redis": secret("Redis")}
CANARIES: Final = CLIENTS | PROVIDERS | REDIS
FILES: Final = {name: name.replace(" ", "-").replace(",", "") for name in CANARIES}
_GUARDED: Final = """\
[server]
drain_s = 1.0
[[server.keys]]
name = "laptop"
key = {{ env = "LAPTOP_KEY" }}
[[server.keys]]
name = "ci"
keys = [{{ file = "keys/client-ci-first" }}, {{ file = "keys/client-ci-second" }}]
targets = ["*-main,*", "*-refused,*", "*-backlog,*", "*-tls,*", "*-close,*", "*-stale,*"]
[redis]
url = "redis://127.0.0.1:{port}/0"
password = {{ file = "keys/Redis" }}
[cache]
targets = ["*,good_*"]
[limits]
requests_per_minute = 10000000
"""


class Watched(truth.Table):
    """A table that looks for secrets in each answer."""

    def __init__(self, search: Search) -> None:
        super().__init__()
        self._search = search
        self.told: Counter[str] = Counter()

    def add(self, ask: Ask, reply: Reply, verdict: Verdict) -> None:
        """One exchange."""
        super().add(ask, reply, verdict)
        data = repr(reply.headers).encode() + reply.body
        self.told.update(self._search.told(f"the answer to {truth.form(ask)}", data))


class Ground:
    """A proxy that holds the canaries, with a provider and a Redis."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = folder / "keys"
        for path in (self.keys, folder / "plugins", folder / "taxonomy", folder / "redis"):
            path.mkdir(parents=True)
        for name, file in FILES.items():
            (self.keys / file).write_text(f"{CANARIES[name]}\n")
            (self.keys / file).chmod(0o600)
        self.config = folder / "config.toml"
        self.redis_port = free_port()

    def configure(self, ports: dict[str, int]) -> str:
        """Half of the providers have the first key, half the second."""
        text = rig.configuration(ports, more=_GUARDED.format(port=self.redis_port))
        parts = text.split('file = "key"')
        files = [f'file = "keys/{FILES[name]}"' for name in PROVIDERS]
        whole = parts[0] + "".join(files[number % 2] + part for number, part in enumerate(parts[1:]))
        self.config.write_text(whole)
        return whole

    def redis(self, password: str) -> "ExitStack":
        """A server that asks for this password and writes down whatever it is told."""
        stack = ExitStack()
        options = ("--requirepass", password, "--appendonly", "yes", "--appendfsync", "always")
        self.server: RedisServer = stack.enter_context(
            redis_running(self.folder / "redis", *options, port=self.redis_port)
        )
        return stack

    def serve(self, stack: ExitStack) -> children.Server:
        """The proxy, with bugs in it; one key comes from the environment."""
        return stack.enter_context(
            children.proxy(
                "--config",
                str(self.config),
                core=None,
                home=self.folder / "home",
                variables={"LAPTOP_KEY": CLIENTS["client laptop"]},
                program=(str(Path(__file__).with_name("canary_bugs.py")),),
            )
        )

    def log(self) -> str:
        """All that the proxy wrote so far."""
        return (self.folder / "home" / "log").read_text(errors="replace")

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Everything on disk but the keys' own files: logs, databases and their journals, caches, cores."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and not path.is_relative_to(self.keys):
                yield str(path.relative_to(self.folder)), path.read_bytes()


def keyed(asks: Iterable[Ask]) -> list[Ask]:
    """The same requests with a client's key, in one header or the other."""
    keys = [f"{header}{value}" for value in CLIENTS.values() for header in ("x-api-key: ", "authorization: Bearer ")]
    return [
        ask._replace(data=ask.data.replace(b"\r\n", f"\r\n{keys[number % len(keys)]}\r\n".encode(), 1))
        for number, ask in enumerate(asks)
    ]


def section(folder: Path, exchanges: int, every: int) -> Section:
    """So many exchanges with a provider that fails, and each `every`-th misplaced secret."""
    found = Section(f"{len(CANARIES)} keys, {exchanges} exchanges over every fault, and keys in wrong places")
    if shutil.which("redis-server") is None:
        found.skipped = "redis-server is not installed (Debian: apt-get install redis-server)"
        return found
    search, ground = Search(CANARIES | {"misplaced": MISPLACED}), Ground(folder)
    with ExitStack() as stack:
        _, ports = stack.enter_context(rig.faultd(folder / "provider"))
        good = ground.configure(ports)
        redis = stack.enter_context(ground.redis(REDIS["Redis"]))
        proxy = ground.serve(stack)
        table = Watched(search)
        uvloop.run(truth.exchange(proxy.port, keyed(truth.plan(exchanges)), table))
        found.findings += [f"{what} ({count}×)" for what, count in (table.told + table.wrong).most_common(20)]
        found.findings += _places(found, proxy.port, search, every)
        found.findings += _pages(proxy.port, search)
        found.findings += _reloads(ground, good, search, MISTAKES[:: min(every, 4)])
        found.findings += _redis_faults(ground, redis, proxy.port, search)
        found.findings += _processes(proxy.process.pid, search)
        found.findings += _stop(ground, proxy, search)
        found.findings += _left(ground, search)
    found.findings += _seen(ground)
    found.counts["searched"] = f"{search.searched / 2**20:.0f} MiB of answers, logs, files and process lists"
    found.counts["not searched"] = "the proxy's own environment: whoever keeps a key there has chosen so"
    found.number = f"{len(found.findings)} hits of {len(CANARIES)} keys in {search.searched / 2**20:.0f} MiB"
    return found


def _places(found: Section, port: int, search: Search, every: int) -> list[str]:
    """Each canary in each wrong place, and in the hands of a bug."""
    requests = [
        one
        for number, canary in enumerate(CANARIES.values())
        for one in misplaced(canary, list(CLIENTS.values())[number % 3], MODEL)
    ][::every]
    requests += [one for key in CLIENTS.values() for one in bugs(PROVIDERS["provider one"], key, MODEL)]
    told: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        answers = threads.map(lambda one: sent(port, [one], patience_s=_PATIENCE_S), requests)
        for asked, received in zip(requests, answers, strict=True):
            statuses.update(status.decode() for status in received.statuses or [b"nothing"])
            told.update(search.told(f"the answer to {_shown(asked)}", received.data))
    found.counts["keys in wrong places"] = f"{len(requests)} requests: {tally(statuses)}"
    return [f"{what} ({count}×)" for what, count in told.most_common(40)]


def _shown(asked: bytes) -> str:
    """Of a request, for people: without what it holds."""
    text = asked[:3000].decode("latin-1")
    for name, canary in CANARIES.items():
        text = text.replace(canary, f"<{name}>")
    return text.replace("\r\n", " | ")[:400]


def _pages(port: int, search: Search) -> list[str]:
    """What anybody may look at."""
    key = f"x-api-key: {CLIENTS['client laptop']}"
    told = []
    for path in ("/metrics", "/health", "/health/ready", "/v1/models", f"/v1/models/{MODEL}", "/", "/ui", "/nowhere"):
        told += search.told(path, sent(port, [request(path, None, key, method="GET")]).data)
    return told + search.told("/v1/route", sent(port, [request("/v1/route", said(MODEL, GOOD), key)]).data)


#: One that only a configuration holds, where it does not belong.
MISPLACED: Final = secret("misplaced")
#: Mistakes in a configuration: what stands there, and what takes its place; `{}` is a key. The first are likely with
#: one that the proxy does not know yet.
MISTAKES: Final = (
    ('{ env = "LAPTOP_KEY" }', '"{}"'),
    ('{ env = "LAPTOP_KEY" }', '{{ env = "{}" }}'),
    ('{ env = "LAPTOP_KEY" }', '{{ file = "{}" }}'),
    ('{ env = "LAPTOP_KEY" }', "{{ {} }}"),
    ('{ env = "LAPTOP_KEY" }', '{{ env = "LAPTOP_KEY", value = "{}" }}'),
    ('url = "redis://', 'url = "redis://:{}@'),
    ('base_url = "http://', 'base_url = "http://user:{}@'),
    ("drain_s = 1.0", 'drain_s = "{}"'),
    ('default = "', 'default = "{},'),
    ('targets = ["*-main,*"', 'targets = ["{}"'),
    ('name = "laptop"', 'name = "{}"'),
    ("[plugins]", '[rules.mine]\nconfig = {{ "{}" = ["a", {{ b = "{}" }}] }}\n[plugins]'),
)
_UNKNOWN: Final = 8
_COMMANDS: Final = (("check",), ("config", "show"), ("doctor",))


def _reloads(ground: Ground, good: str, search: Search, mistakes: Sequence[tuple[str, str]]) -> list[str]:
    """Configurations with a key in a wrong place, for the proxy that serves and for one that starts."""
    told: list[str] = []
    for number, (before, after) in enumerate(mistakes):
        unknown = (before, after) in MISTAKES[:_UNKNOWN]
        canary = MISPLACED if unknown else list(CANARIES.values())[number % len(CANARIES)]
        before_it = _refused(ground)
        ground.config.write_text(good.replace(before, after.format(canary, canary), 1))
        for command in (_COMMANDS[number % len(_COMMANDS)], ("serve", "--port", "0")):
            code, words = _command(ground, *command)
            told += search.told(f"{' '.join(command)} with {after}", words)
            if code != EXIT_CONFIG:
                told.append(f"{' '.join(command)} with {after} ends with {code}")
                break  # it would serve
        wait(partial(_more, ground, before_it), f"{after} changes nothing")
    ground.config.write_text(good)
    return told


def _refused(ground: Ground) -> int:
    """How many problems of configurations the proxy has named."""
    return ground.log().count('"event":"reload_failed"')


def _more(ground: Ground, than: int) -> bool:
    return _refused(ground) > than


def _command(ground: Ground, *arguments: str) -> tuple[int, bytes]:
    """Exit code and everything that a command says of the configuration."""
    done = subprocess.run(
        children.python("-c", children.PROGRAM, *arguments, "--config", str(ground.config)),
        env=children.environment(ground.folder / "home") | {"LAPTOP_KEY": CLIENTS["client laptop"]},
        capture_output=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def _redis_faults(ground: Ground, redis: ExitStack, port: int, search: Search) -> list[str]:
    """Redis frozen, gone, and back with another password: whoever asks is answered, and told nothing."""

    def ask() -> list[str]:
        told = []
        for key in CLIENTS.values():
            received = sent(port, [request(ANTHROPIC, said(MODEL, GOOD), key=key)])
            told += search.told("an answer while Redis fails", received.data)
            if received.statuses != [b"200"]:
                told.append(f"an answer while Redis fails is {received.statuses}")
        return told

    told = ask()
    ground.server.process.send_signal(signal.SIGSTOP)
    told += ask()
    ground.server.process.send_signal(signal.SIGCONT)
    redis.close()
    told += ask()
    with ground.redis(secret("another")):
        time.sleep(2.5)  # it is tried again within two seconds
        told += ask()
    return told


def _processes(pid: int, search: Search) -> list[str]:
    """The process list, and what the workers were given, as far as this user may look."""
    told = search.told("the command line", Path(f"/proc/{pid}/cmdline").read_bytes())
    with suppress(PermissionError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            for name in ("cmdline", "environ"):
                told += search.told(f"a worker's {name}", Path(f"/proc/{child}/{name}").read_bytes())
    return told


def _stop(ground: Ground, proxy: children.Server, search: Search) -> list[str]:
    """SIGTERM with streams under way that never end."""
    asked = [request(ANTHROPIC, said(MODEL, ENDLESS, stream=True), key=key) for key in CLIENTS.values()]
    told: list[str] = []
    with ThreadPoolExecutor(len(asked)) as threads:
        answers = [threads.submit(sent, proxy.port, [one]) for one in asked]
        time.sleep(1.0)
        proxy.process.send_signal(signal.SIGTERM)
        for answer in answers:
            told += search.told("a stream that was stopped", answer.result().data)
    proxy.process.wait(_PATIENCE_S)
    if '"event":"stopped"' not in ground.log():
        told.append("the proxy did not stop as it should")
    return told


def _left(ground: Ground, search: Search) -> list[str]:
    """Everything on disk; and that all of it came to be."""
    told: list[str] = []
    written = {}
    for name, data in ground.files():
        written[name] = len(data)
        told += search.told(f"the file {name}", data)
    records = 0
    for path in ground.folder.rglob("decisions"):
        for kept in entries(path):  # compressed in its file
            told += search.told("a decision's record", kept.plain)
            records += 1
    if records < 100:
        told.append(f"there are {records} records of decisions, so this shows nothing")
    log = ground.log()
    for what, due in (('"event":"bug"', 3), ("reload_failed", 3), ('"event":"library"', 1), ('"event":"request"', 100)):
        if log.count(what) < due:
            told.append(f"the log has {what} {log.count(what)} times, so this shows nothing")
    for part in ("records.db", ".incr.aof"):
        if not any(size for name, size in written.items() if name.endswith(part)):
            told.append(f"nothing was written to {part}, so this shows nothing")
    return told


def _seen(ground: Ground) -> list[str]:
    """The search sees each canary where it is."""
    search = Search(CANARIES)
    return [f"{name} is not seen" for name in CANARIES if not search.hits((ground.keys / FILES[name]).read_bytes())]
