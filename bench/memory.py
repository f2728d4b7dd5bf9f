"""How much memory the proxy has: PSS, its share of what it shares with others counted in proportion (proc(5))."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import bodies, children, trees
from bench.row import Row


def rows() -> Iterator[Row]:
    """After /health has answered; after the first request was counted."""
    suite = "Memory of the proxy (PSS)"
    with TemporaryDirectory() as folder, children.proxy(core=None, home=Path(folder) / "home") as server:
        yield Row(
            suite=suite,
            name="before the first count",
            value=trees.own_pss_mb(server.process.pid),
            unit="MB",
            bound=95.0,
        )
        for name, body, bound in (
            ("with one vocabulary", bodies.small(), 190.0),
            ("after a 100 KB request", bodies.large(), None),
        ):
            status, _ = children.request(server.port, "POST", "/v1/messages", body)
            if status != 200:
                raise RuntimeError(f"the proxy answers {status}")
            yield Row(suite=suite, name=name, value=trees.own_pss_mb(server.process.pid), unit="MB", bound=bound)
