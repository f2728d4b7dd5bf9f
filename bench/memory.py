"""How much memory the proxy has: PSS, its share of what it shares with others counted in proportion (proc(5))."""

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import bodies, children
from bench.row import Row


def rows() -> Iterator[Row]:
    """After /health has answered; after the first request was counted."""
    suite = "Memory of the proxy (PSS)"
    with TemporaryDirectory() as folder, children.proxy(core=None, home=Path(folder) / "home") as server:
        yield Row(suite=suite, name="before the first count", value=_pss(server.process.pid), unit="MB", bound=95.0)
        for name, body in (("with one vocabulary", bodies.small()), ("after a 100 KB request", bodies.large())):
            status, _ = children.request(server.port, "POST", "/v1/messages", body)
            if status != 200:
                raise RuntimeError(f"the proxy answers {status}")
            yield Row(suite=suite, name=name, value=_pss(server.process.pid), unit="MB")


def _pss(pid: int) -> float:
    """MB (of 10^6 bytes)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    if not found:
        raise RuntimeError(f"no Pss in /proc/{pid}/smaps_rollup")
    return int(found[1]) * 1024 / 1e6
