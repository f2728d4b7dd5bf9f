"""The way to a server: slow ones, those that close what is idle, and TLS."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from loops import listening, on_a_loop, until
from redis_server import RedisServer, redis_running

from core.schema_state import RedisSettings
from core.state.redis_line import StoreDown, packed
from core.state.redis_link import Link, Observer, Server
from prove.certificate import certificate

PING = packed(["PING"])


class Changes(Observer):
    def __init__(self) -> None:
        self.said: list[str] = []

    def down(self, why: str) -> None:
        self.said.append(why)

    def up(self, away_s: float) -> None:
        self.said.append("up")


@asynccontextmanager
async def link_to(
    url: str, *, timeout_ms: int = 5000, ca_file: Path | None = None, user: tuple[str, str] = ("", "")
) -> AsyncIterator[tuple[Link, Changes]]:
    changes = Changes()
    settings = RedisSettings(url=url, timeout_ms=timeout_ms, ca_file=ca_file, username=user[0])
    link = Link(Server(settings, user[1]), changes, time.monotonic)
    try:
        yield link, changes
    finally:
        await link.close()


async def asked(link: Link) -> object:
    """The answer, or the kind of the refusal."""
    try:
        return await link.ask(PING, time.monotonic())
    except StoreDown as exc:
        return exc.kind


@asynccontextmanager
async def serving(*answers: bytes, each_s: float = 0.0) -> AsyncIterator[str]:
    """A server that answers a connection's words with these, in turn, and then closes it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            if not await reader.read(1000):
                break
            await asyncio.sleep(each_s)
            writer.write(answer)

    async with listening(serve) as port:
        yield f"redis://127.0.0.1:{port}"


@on_a_loop
async def test_a_server_that_is_too_slow_is_of_no_use() -> None:
    async with serving(*[b"+PONG\r\n"] * 9, each_s=0.2) as url, link_to(url, timeout_ms=50) as (link, changes):
        assert await asked(link) == "timeout"
        await asyncio.sleep(0.5)
        assert link.down
        assert changes.said == ["timeout"]


@on_a_loop
async def test_what_an_idle_server_closes_is_no_failure() -> None:
    async with serving(b"+PONG\r\n", b"+PONG\r\n") as url, link_to(url) as (link, changes):
        for _ in range(3):
            assert await asked(link) == b"PONG"
            await until(lambda: link._line is None)
        assert changes.said == []


@pytest.mark.parametrize(
    ("greeting", "kind"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "loading"),
        (b"-BUSY Redis is busy running a script\r\n", "busy"),
        (b"-ERR max number of clients reached\r\n", "refused"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "garbled"),
        (b"", "closed"),
    ],
)
@on_a_loop
async def test_a_server_that_cannot_serve_is_left_alone(greeting: bytes, kind: str) -> None:
    async with serving(greeting) as url, link_to(url) as (link, changes):
        assert await asked(link) == kind
        assert link.down
        assert changes.said == [kind]
        assert link.left_alone().kind == "left_alone"


@on_a_loop
async def test_a_link_that_is_closed_asks_nobody(redis_server: RedisServer) -> None:
    async with link_to(redis_server.url) as (link, changes):
        connecting = asyncio.create_task(asked(link))
        await asyncio.sleep(0)
        await link.close()
        assert await connecting == "closed"
        assert await asked(link) == "closed"
        assert changes.said == []


@on_a_loop
async def test_a_user_and_a_password(redis_server: RedisServer) -> None:
    async with link_to(redis_server.url) as (link, _):
        await link.ask(packed(["ACL", "SETUSER", "proxy", "on", ">pass", "~*", "+@all"]), time.monotonic())
    async with link_to(redis_server.url, user=("proxy", "pass")) as (link, _):
        assert await asked(link) == b"PONG"
    async with link_to(redis_server.url, user=("proxy", "other")) as (link, _):
        assert await asked(link) == "password"


@on_a_loop
async def test_tls_is_for_a_certificate_that_is_good(tmp_path: Path) -> None:
    certificate(tmp_path)
    pem = str(tmp_path / "localhost.pem")
    tls = ("--tls-auth-clients", "no", "--tls-cert-file", pem, "--tls-key-file", pem, "--tls-ca-cert-file", pem)
    with redis_running(tmp_path) as plain:
        port = plain.port
    with redis_running(tmp_path, "--tls-port", str(port), *tls):
        url = f"rediss://localhost:{port}"
        async with link_to(url, ca_file=tmp_path / "localhost.pem") as (link, changes):
            assert await asked(link) == b"PONG"
        async with link_to(url) as (link, changes):
            assert await asked(link) == "tls"
            assert changes.said == ["tls"]
        async with link_to(f"redis://localhost:{port}") as (link, changes):
            assert await asked(link) in {"closed", "garbled"}
