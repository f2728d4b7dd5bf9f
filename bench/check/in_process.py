"""The whole proxy in this process without a socket: bytes go into its HTTP/1.1 connection, and bytes come out of it.

Its provider is an object that answers at once, so what is counted is ours alone, and the same in every run.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import uvicorn
import uvloop
from uvicorn.server import ServerState

from core import settings
from core.app import Proxy
from core.http1 import Connection
from core.logs import LogWriter
from core.schema import ProviderSettings, UpstreamSettings
from core.upstream import Reply, Upstream

_CONFIG: Final = """\
[providers.mock]
dialect = "{dialect}"
base_url = "http://127.0.0.1:9"
allow_private = true
[routing]
default = "mock,other-model"
[plugins]
dir = "plugins"
[taxonomy]
dir = "{taxonomy}"
"""
_END: Final = b"0\r\n\r\n"


class Answers(Upstream):
    """A provider of one answer; `asked` is the last body that it was sent."""

    def __init__(self, content_type: str, chunks: list[bytes]) -> None:
        super().__init__()
        self._headers = {"content-type": content_type, "request-id": "req_mock"}
        self._chunks = chunks
        self.asked = b""

    @asynccontextmanager
    async def post(
        self,
        provider: ProviderSettings,  # noqa: ARG002
        clocks: UpstreamSettings,  # noqa: ARG002
        path: str,  # noqa: ARG002
        headers: Mapping[str, str],  # noqa: ARG002
        body: bytes,
    ) -> AsyncIterator[Reply]:
        """Answer at once."""
        self.asked = body
        yield Reply(200, self._headers, self._all())

    async def _all(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


class Wire(asyncio.Transport):
    """What the connection writes to."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 3456)})
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class Silent:
    """A log's descriptor that takes everything."""

    def write(self, data: memoryview, /) -> int:
        return len(data)


class InProcess:
    """One proxy with one client. `folder` is empty, and is its home."""

    def __init__(self, folder: Path, dialect: str, provider: Answers) -> None:
        (folder / "plugins").mkdir(mode=0o700)
        path = folder / "config.toml"
        path.write_text(_CONFIG.format(dialect=dialect, taxonomy=Path(__file__).parents[2] / "taxonomy"))
        env = {"HOME": str(folder), "TERRAPHIM_DISCOVERY": "off"}
        self.loop = uvloop.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self._log = LogWriter(Silent())
        self.proxy = Proxy(lambda: settings.load(path, env), env, self._log)
        self.proxy.pipeline._asking._upstream = provider
        config = uvicorn.Config(self.proxy.asgi, log_config=None, lifespan="off", proxy_headers=False)
        self._wire = Wire()
        self._connection = Connection(self.proxy.connections, config, ServerState(), {}, self.loop)
        self._connection.connection_made(self._wire)

    def ask(self, request: bytes) -> bytes:
        """The answer to one request, as it is on the wire. RuntimeError if it is no success."""
        self._wire.written.clear()
        self._connection.data_received(request)
        while self._connection.owed() is not None:
            self.loop.run_until_complete(asyncio.sleep(0))
        answer = b"".join(self._wire.written)
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(answer[:1000].decode(errors="replace"))
        return answer

    def close(self) -> None:
        """Write what waits, and end all threads."""
        self._connection.connection_lost(None)
        for closing in (self.proxy.host.close(), self.proxy.keeping.close()):
            self.loop.run_until_complete(closing)
        self._log.close()
        self.loop.close()
