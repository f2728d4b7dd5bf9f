"""Something that is measured: how it is started, how it is asked, and what its processes used."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from msgspec import Struct

from bench import bodies, children, trees
from bench.children import Cores

#: How a target's clients and its provider speak: "same" is one dialect on both sides, "translated" is Anthropic's in
#: front and OpenAI's behind.
SAME, TRANSLATED = "same", "translated"
OURS, FLOOR, PEER = "ours", "floor", "peer"


class Speech(Struct, frozen=True):
    """How a target is asked: the client's dialect, the path, headers that it wants, the model's name in the body.

    `{upstream}` in a header becomes the mock's address.
    """

    dialect: str = "anthropic"
    path: str = "/v1/messages"
    headers: tuple[str, ...] = ("anthropic-version: 2023-06-01",)
    model: str = bodies.MODEL


class Place(Struct, frozen=True):
    """Where a target runs: a folder of its own, the mock's port, the cores."""

    folder: Path
    upstream: int
    cores: Cores

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.upstream}"


class Running(Struct, frozen=True):
    """A target that answers."""

    pid: int
    port: int
    log: Path | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def gone(self) -> bool:
        return not trees.alive(self.pid)

    def cpu_s(self) -> float:
        return trees.cpu_s(self.pid)

    def pss_mb(self) -> float:
        return trees.pss_mb(self.pid)


class Target(Struct, frozen=True):
    """`speeches` says in which ways it can be asked; one that cannot translate has only `SAME`."""

    name: str
    kind: str
    start: Callable[[Place], AbstractContextManager[Running]]
    speeches: Mapping[str, Speech]


@contextmanager
def of(server: AbstractContextManager[children.Server]) -> Iterator[Running]:
    """A server of `children` as a target."""
    with server as started:
        yield Running(started.process.pid, started.port)
