"""An admin plane that tells what a test says, hostile or not: `with telling({path: answer}, events) as plane`."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec


@dataclass
class Plane:
    """`answers` by path; `feeds`: what each reader of the events is sent, one after the other, the last again."""

    answers: dict[str, Any]
    feeds: Sequence[bytes]
    port: int = 0
    #: (path, authorization) of each request.
    heard: list[tuple[str, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def event(name: str, data: Any) -> bytes:
    """As the feed sends it."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))


@contextmanager
def telling(answers: dict[str, Any], feeds: Sequence[bytes] = ()) -> Iterator[Plane]:
    """Until the block ends. The last feed stays open until then."""
    plane = Plane(answers, feeds)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            plane.heard.append((self.path, self.headers.get("authorization", "")))
            if self.path == "/admin/events" and plane.feeds:
                self._feed()
                return
            told = plane.answers.get(self.path.partition("?")[0])
            status, body = (404, b"{}") if told is None else (200, msgspec.json.encode(told))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _feed(self) -> None:
            number = sum(path == "/admin/events" for path, _ in plane.heard)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(plane.feeds[min(number, len(plane.feeds)) - 1])
            self.wfile.flush()
            if number >= len(plane.feeds):
                plane.over.wait(30)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        plane.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield plane
        finally:
            plane.over.set()
            server.shutdown()
            thread.join(10)
