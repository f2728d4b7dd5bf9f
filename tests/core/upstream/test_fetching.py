"""A file of the web, against a real socket. What is forbidden is loopback here: no other address may be tried."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from core.errors import UpstreamFailed
from core.upstream import Upstream, fetch

FILE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"


class Site:
    """A server that answers each path with the bytes of its name."""

    def __init__(self, **pages: bytes) -> None:
        self.pages, self.heads, self.port = pages, list[bytes](), 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{path}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Site"]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            path = head.split(b" ")[1].decode().strip("/").partition("?")[0]
            writer.write(self.pages.get(path, b""))
            await writer.drain()
            if path == "hang":
                await reader.read()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


def fetched(site: Site, path: str, *, host: str = "127.0.0.1", most: int = 100, allow_private: bool = True) -> bytes:
    async def run() -> bytes:
        upstream = Upstream()
        try:
            async with site.serving():
                seconds = 0.2 if path == "hang" else 9.0
                return await fetch(upstream, site.url(path, host), most, seconds, allow_private=allow_private)
        finally:
            await upstream.close()

    return asyncio.run(run())


def test_a_file_is_fetched_with_nothing_but_its_address() -> None:
    site = Site(file=FILE)
    assert fetched(site, "file") == b"abc"
    [head] = map(bytes.lower, site.heads)
    assert head.startswith(b"get /file http/1.1\r\n")
    names = {line.partition(b":")[0] for line in head.split(b"\r\n")[1:] if line}
    assert names == {b"host", b"accept", b"accept-encoding", b"user-agent"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "127.1", "[::ffff:127.0.0.1]"])
def test_a_private_address_is_never_contacted_however_it_is_written(host: str) -> None:
    site = Site(file=FILE)
    with pytest.raises(UpstreamFailed, match="cannot be reached at a public address"):
        fetched(site, "file", host=host, allow_private=False)
    assert site.heads == []


def test_a_private_address_and_a_closed_port_are_one_answer() -> None:
    """Or the proxy could be asked what there is in its network."""

    async def told(url: str, *, allow_private: bool) -> str:
        upstream = Upstream()
        try:
            await fetch(upstream, url, 9, 5.0, allow_private=allow_private)
        except UpstreamFailed as failed:
            return failed.message
        finally:
            await upstream.close()
        raise AssertionError(url)

    async def closed_port() -> int:
        async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
            port: int = server.sockets[0].getsockname()[1]
        return port

    url = f"http://127.0.0.1:{asyncio.run(closed_port())}/"
    assert asyncio.run(told(url, allow_private=True)) == asyncio.run(told(url, allow_private=False))


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: /file\r\nContent-Length: 0\r\n\r\n", "it answered 302; redirects are not"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc", "it answered 404"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + b"x" * 101, "over 100 bytes"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 500, "over 100 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "its answer broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "compressed"),
        (b"", "closed the connection without an answer"),
    ],
)
def test_what_is_no_whole_small_file_is_refused(page: bytes, why: str) -> None:
    site = Site(page=page, file=FILE)
    with pytest.raises(UpstreamFailed, match=why):
        fetched(site, "page")
    assert {head.split(b" ")[1] for head in site.heads} == {b"/page"}


def test_an_address_that_says_nothing_is_left() -> None:
    with pytest.raises(UpstreamFailed, match=r"images\.fetch_s"):
        fetched(Site(), "hang")
