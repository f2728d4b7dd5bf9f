"""Runs inside the cage: `python -m prove.addresses_inside FOLDER EVERY` tries every way and prints what connected.

First the controls: what is allowed connects, and without the guard the forbidden ones do too. So nothing is held to be
safe because it could not have connected anyway.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from unittest.mock import patch

import msgspec
from msgspec import Struct
from pydantic import ValidationError

from bench import children
from core.addresses import forbidden
from core.errors import UpstreamFailed
from core.schema import ProviderSettings, UpstreamSettings
from core.upstream import Upstream
from core.upstream.fetching import fetch
from prove.cage import PORT, Network
from prove.spellings import NAMING, PUBLIC, Spelling, spellings

#: Set for the proxy: whoever obeys one of them asks this address, which nobody may reach.
PROXY_VARIABLES: Final = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
ANYWHERE: Final = "http://169.254.169.254:3128"
CLOCKS: Final = UpstreamSettings(connect_s=2, first_content_s=5)
ANSWER: Final = json.dumps(
    {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "hi"}],
     "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}}
).encode()  # fmt: skip


class Way(Struct):
    """What came of one way; `expected` is None where nothing may connect, else the least that must."""

    tried: int = 0
    connected: int = 0
    expected: int | None = None
    wrong: list[str] = []


def url(host: str) -> str:
    return f"http://{host}:{PORT}"


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


class Trial:
    """The network and what is tried in it."""

    def __init__(self, folder: Path, every: int) -> None:
        self.folder = folder
        self.spellings = spellings()[::every]
        self.numeric = [one for one in self.spellings if one.numeric]
        self.network = Network(folder, self.answer)
        self.ways: dict[str, Way] = {}

    def answer(self, path: str) -> bytes:
        """A message; below /redirect/N, a redirection to spelling N."""
        if path.startswith("/redirect/"):
            number = int(path.split("/")[2])
            status = (301, 302, 303, 307, 308)[number % 5]
            where = f"HTTP/1.1 {status} Go\r\nLocation: {url(self.spellings[number].host)}/\r\n"
            return where.encode() + b"Content-Length: 0\r\nConnection: close\r\n\r\n"
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
        return head + b"Content-Length: %d\r\n\r\n" % len(ANSWER) + ANSWER

    def way(self, name: str, *, expected: int | None = None) -> Way:
        """A line of the result."""
        return self.ways.setdefault(name, Way(expected=expected))

    # Without the guard

    def unguarded(self) -> None:
        """What a program connects to that does not judge, and what our own client does without its guard."""
        way = self.way("control: any program")
        for one in self.spellings:
            with suppress(OSError, UnicodeError):
                host = one.host.strip("[]").replace("%25", "%")
                socket.create_connection((host, PORT), timeout=2).close()
            way.tried += 1
            way.connected += bool(self.network.seen())
        way.expected = way.tried // 2
        with patch("core.upstream.resolver.forbidden", lambda *_, **__: None):
            way = self.way("control: literal, without the guard", expected=len(self.spellings) // 3)
            self._ask_each(way, [url(one.host) for one in self.spellings if usable(url(one.host))])
            way = self.way("control: by name, without the guard", expected=len(self.numeric) * 9 // 10)
            for number, one in enumerate(self.numeric):
                self.network.names[f"d{number}.test"] = [[one.host.strip("[]")]]
            self._ask_each(way, [url(f"d{number}.test") for number in range(len(self.numeric))])

    def _ask_each(self, way: Way, urls: Iterable[str]) -> None:
        async def ask() -> None:
            for base_url in urls:
                upstream = Upstream()
                provider = ProviderSettings(dialect="anthropic", base_url=base_url, allow_private=False)
                with suppress(UpstreamFailed):
                    async with upstream.post(provider, CLOCKS, "/", {}, b"{}") as reply:
                        await reply.body()
                await upstream.close()
                way.tried += 1
                way.connected += bool(self.network.seen())

        asyncio.run(ask())

    # Proxy variables, one spelling after the other: they are read when a request is made

    def environment(self) -> None:
        way = self.way("proxy variables")
        reached = self.way("control: past proxy variables", expected=len(self.spellings))
        before = dict(os.environ)

        async def ask(one: Spelling) -> None:
            os.environ.update(dict.fromkeys(PROXY_VARIABLES, url(one.host)))
            upstream = Upstream()
            provider = ProviderSettings(dialect="anthropic", base_url=url(PUBLIC[0]))
            with suppress(UpstreamFailed):
                async with upstream.post(provider, CLOCKS, "/", {}, b"{}") as reply:
                    await reply.body()
            await upstream.close()

        for one in self.spellings:
            asyncio.run(ask(one))
            self._count(way, reached, one.host)
        os.environ.clear()
        os.environ.update(before)

    # Images that clients name, which the proxy fetches for providers that take no addresses

    def images(self) -> None:
        """Every spelling in a URL, as a redirection, by name, and by a name that is bound anew."""
        way = self.way("images by URL")
        reached = self.way("control: images at public addresses, or redirected from there", expected=0)
        asked = [f"{url(bracketed(address))}/a.png" for address in PUBLIC]
        asked += [f"{url(PUBLIC[0])}/redirect/{number}" for number in range(len(self.spellings))]
        reached.expected = len(asked)
        asked += [f"{url(one.host)}/a.png" for one in self.spellings if usable(url(one.host))]
        for number, one in enumerate(self.numeric):
            self.network.names[f"i{number}.test"] = [[one.host.strip("[]")]]
            self.network.names[f"n{number}.test"] = [[PUBLIC[0]], [one.host.strip("[]")]]
            asked += [f"{url(f'{name}{number}.test')}/a.png" for name in "inn"]
        reached.expected += len(self.numeric)

        async def ask() -> None:
            upstream = Upstream()
            for each in asked:
                with suppress(UpstreamFailed):
                    await fetch(upstream, each, 1 << 16, 2.0)
                self._count(way, reached, each)
            await upstream.close()

        asyncio.run(ask())

    def _count(self, way: Way, reached: Way, what: str) -> None:
        """Connections to public addresses are `reached`; all others are a breach."""
        seen = self.network.seen()
        way.tried += 1
        reached.tried += 1
        reached.connected += any(address in PUBLIC for address in seen)
        wrong = [address for address in seen if address not in PUBLIC]
        way.connected += len(wrong)
        way.wrong += [f"{what} reached {address}" for address in wrong]

    # Through the proxy

    def providers(self) -> Iterator[tuple[str, str, bool]]:
        """(name, base_url, allow_private) of all providers; their names say what they try."""
        for number, address in enumerate(PUBLIC):
            self.network.names[f"ok{number}.test"] = [[address]]
            yield f"ok{number}", url(bracketed(address)), False
            yield f"okdns{number}", url(f"ok{number}.test"), False
        for number, one in enumerate(self.spellings):
            yield f"literal{'-six' * one.v6}{number}", url(one.host), False
            yield f"redirect{number}", f"{url(PUBLIC[0])}/redirect/{number}", False
            if "metadata" in why(one):
                yield f"private{number}", url(one.host), True
        for number, one in enumerate(self.numeric):
            address = one.host.strip("[]")
            self.network.names[f"d{number}.test"] = [[address]]
            self.network.names[f"m{number}.test"] = [[PUBLIC[0], PUBLIC[3], address]]
            self.network.names[f"r{number}.test"] = [[PUBLIC[0]], [address]]
            yield f"dns{'-six' * one.v6}{number}", url(f"d{number}.test"), False
            yield f"mixed{number}", url(f"m{number}.test"), False
            yield f"rebinding{number}", url(f"r{number}.test"), False

    def through_the_proxy(self) -> None:
        """Every provider is asked (twice where its name is bound anew), and requests try to name one themselves."""
        configured = {name: (base, private) for name, base, private in self.providers() if usable(base)}
        with self._proxy(configured) as port:
            self.network.seen()
            for name in configured:
                kind = name.rstrip("0123456789")
                answered = self._request(port, name)
                if kind in {"ok", "okdns"}:
                    self._allowed(f"control: allowed, {'by name' if kind == 'okdns' else 'literal'}", answered, port)
                elif kind == "rebinding":
                    self._allowed("control: before it was bound anew", answered, port)
                    self._request(port, name)
                    self._forbidden("rebinding", name, port)
                else:
                    reached = "control: redirecting provider" if kind == "redirect" else ""
                    self._forbidden(WAYS[kind], name, port, reached)
            self._named_by_requests(port)

    def _allowed(self, title: str, answered: int, port: int) -> None:
        way = self.way(title, expected=0)
        seen = self.network.seen(but=(port,))
        way.tried += 1
        way.expected = way.tried
        way.connected += answered == 200 and any(address in PUBLIC for address in seen)

    def _forbidden(self, title: str, name: str, port: int, reached: str = "") -> None:
        way = self.way(title)
        way.tried += 1
        seen = self.network.seen(but=(port,))
        if reached:
            control = self.way(reached, expected=0)
            control.tried += 1
            control.expected = control.tried
            control.connected += PUBLIC[0] in seen
        wrong = [address for address in seen if not (reached and address == PUBLIC[0])]
        way.connected += len(wrong)
        way.wrong += [f"{name} reached {address}" for address in wrong]

    def _request(self, port: int, provider: str) -> int:
        body = {"model": f"{provider},m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        return children.request(port, "POST", "/v1/messages", json.dumps(body).encode())[0]

    def _named_by_requests(self, port: int) -> None:
        way = self.way("named by the request")
        for head, model in NAMING:
            body = json.dumps({"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]})
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
                while client.recv(65536):
                    pass
            way.tried += 1
            wrong = [address for address in self.network.seen(but=(port,)) if address != PUBLIC[0]]
            way.connected += len(wrong)
            way.wrong += [f"{head[:60]!r} {model!r} reached {address}" for address in wrong]

    @contextmanager
    def _proxy(self, configured: dict[str, tuple[str, bool]]) -> Iterator[int]:
        for name in ("plugins", "taxonomy"):
            (self.folder / name).mkdir()
        # A retry is one more look-up, so it stays; only the wait before it goes.
        lines = ["[resilience]", "max_wait_s = 0", "breaker = false", "[routing]", 'default = "ok0,m"']
        lines += ["[plugins]", 'dir = "plugins"', "[taxonomy]", 'dir = "taxonomy"']
        for name, (base_url, private) in configured.items():
            lines += [f"[providers.{name}]", 'dialect = "anthropic"', "any_model = true"]
            lines += [f"base_url = {json.dumps(base_url)}", f"allow_private = {json.dumps(private)}"]
        config = self.folder / "config.toml"
        config.write_text("\n".join(lines))
        variables = dict.fromkeys(PROXY_VARIABLES, ANYWHERE)
        home = self.folder / "proxy"
        with children.proxy("--config", str(config), core=None, home=home, variables=variables) as server:
            yield server.port


#: What a provider's name says, as a line of the result.
WAYS: Final = {
    "literal": "literal", "redirect": "redirect", "private": "metadata, though private is allowed",
    "literal-six": "literal, IPv6", "dns": "by name", "dns-six": "by name, IPv6",
    "mixed": "by name, among allowed ones",
}  # fmt: skip


def usable(base_url: str) -> bool:
    """Whether a configuration may say it."""
    try:
        ProviderSettings(dialect="anthropic", base_url=base_url)
    except ValidationError:
        return False
    return True


def why(one: Spelling) -> str:
    """Why its address is refused even where private ones are allowed; empty if it is not."""
    return forbidden(one.address, allow_private=True) or ""


def main() -> None:
    """The command line."""
    folder, every = Path(sys.argv[1]), int(sys.argv[2])
    trial = Trial(folder, every)
    with trial.network:
        trial.unguarded()
        trial.environment()
        trial.images()
        trial.through_the_proxy()
    print(msgspec.json.encode(trial.ways).decode())


if __name__ == "__main__":
    main()
