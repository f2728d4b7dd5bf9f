"""A proxy before an endless provider, and a crowd before the proxy: what `never_read`, `drips` and `overload` share."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from bench import children
from prove.endurance import weight
from prove.scene import Scene, wait

HERE: Final = Path(__file__).parent
_CONFIG: Final = """\
[providers.a]
dialect = "anthropic"
base_url = "http://127.0.0.1:{port}"
allow_private = true
[providers.a.models]
b = {{}}
[routing]
default = "a,b"
[plugins]
dir = "plugins"
workers = 1
[taxonomy]
dir = "taxonomy"
[server]
"""


class Seen(NamedTuple):
    """One of a crowd: how long its connection lasted (s, None: it did not end), and what it was told."""

    kind: str
    lasted: float | None
    answer: str


@dataclass
class Crowd:
    """A running crowd; `seen` is there when it has ended."""

    seen: list[Seen] = field(default_factory=list)

    def of(self, kind: str) -> list[Seen]:
        """Those of one kind."""
        return [one for one in self.seen if one.kind == kind]


class Stage(Scene):
    """A running proxy and its provider."""

    def __init__(self, folder: Path, server: children.Server, provider: int) -> None:
        super().__init__(folder, server)
        self._provider = provider

    def asked(self) -> int:
        """Connections that the provider has."""
        return int(children.request(self._provider, "GET", "/open")[1])

    def private(self) -> int:
        """The proxy's own memory, in KiB."""
        return weight(self.process.pid).private

    def metric(self, name: str) -> float:
        """A sample of /metrics, 0 if it is not there."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.metrics(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def refused(self, reason: str) -> int:
        """What this limit refused or ended."""
        return int(self.metric(f'terraphim_refused_total{{reason="{reason}"}}'))

    def clients(self) -> int:
        """Clients' connections, without the one that asks."""
        phases = re.findall(r"^terraphim_connections\{.*\} (\S+)$", self.metrics(), re.MULTILINE)
        return int(sum(map(float, phases))) - 1

    @contextmanager
    def crowd(self, count: int, *kinds: str) -> Iterator[Crowd]:
        """So many of each kind while the block runs, in a process of their own."""
        command = children.python(str(HERE / "crowd.py"), str(self.port), str(count), *kinds)
        env = children.environment(self.folder / "clients")
        crowd = Crowd()
        with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                if not process.stdout or not process.stdout.readline():
                    raise RuntimeError("the crowd could not connect")
                yield crowd
                out, _ = process.communicate(timeout=60)
                crowd.seen += [Seen(*one) for one in json.loads(out)]
            finally:
                process.kill()


@contextmanager
def stage(folder: Path, **server: float) -> Iterator[Stage]:
    """In `folder`, with these settings of `[server]`."""
    for name in ("plugins", "taxonomy", "clients"):
        (folder / name).mkdir(parents=True)
    settings = "".join(f"{name} = {value}\n" for name, value in server.items())
    with ExitStack() as stack:
        command = children.python(str(HERE / "endless.py"))
        env = children.environment(folder / "provider")
        provider = stack.enter_context(subprocess.Popen(command, env=env, stdout=subprocess.PIPE))
        stack.callback(provider.kill)
        port = int(provider.stdout.readline() if provider.stdout else b"")
        (folder / "config.toml").write_text(_CONFIG.format(port=port) + settings)
        arguments = ("--config", str(folder / "config.toml"))
        running = stack.enter_context(children.proxy(*arguments, core=None, home=folder / "home"))
        yield Stage(folder, running, port)


def empty(running: Stage) -> list[str]:
    """Findings if connections are left when the crowd has gone."""
    try:
        wait(lambda: running.clients() <= 0 and running.asked() == 0, "", 0.1)
    except RuntimeError:
        return [f"left behind: {running.clients()} clients, {running.asked()} connections to the provider"]
    return []
