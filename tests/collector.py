"""A collector of traces on a real socket: OTLP over HTTP, decoded by the protocol's own definitions."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Wire

#: A hang bound, not a measurement.
PATIENCE_S = 15.0
KINDS = {1: "internal", 2: "server", 3: "client"}


class Event(msgspec.Struct):
    name: str
    time_ns: int
    values: dict[str, Any]


class Span(msgspec.Struct):
    """As the collector got it; ids are hex."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    state: str
    began_ns: int
    ended_ns: int
    values: dict[str, Any]
    events: list[Event]
    status: int
    message: str
    resource: dict[str, Any]


class Collector:
    """What came. `status` is what it answers; while `stuck`, nothing."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.raw = b""
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.status = 200
        self.stuck = False
        self.over = threading.Event()
        self.url = ""
        #: Nobody listens any more.
        self.close: Callable[[], None] = lambda: None

    def wait_for(self, count: int, trace_id: str = "") -> list[Span]:
        """So many spans (of this trace), by their names; fails after `PATIENCE_S`."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found = [span for span in list(self.spans) if trace_id in {"", span.trace_id}]
            if len(found) >= count:
                return sorted(found, key=lambda span: span.began_ns)
            time.sleep(0.01)
        raise AssertionError(f"{count} spans of {trace_id or 'any trace'} are not among {self.spans}")

    def took(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.paths.append(path)
        self.headers.append(headers)
        self.raw += body
        sent = ExportTraceServiceRequest.FromString(body)
        for resource in sent.resource_spans:
            about = {each.key: plain(each.value) for each in resource.resource.attributes}
            self.spans += [span_of(wire, about) for scope in resource.scope_spans for wire in scope.spans]


def plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(inner) for inner in value.array_value.values]
    return getattr(value, kind) if kind else None


def span_of(wire: Wire, resource: dict[str, Any]) -> Span:
    return Span(
        name=wire.name,
        kind=KINDS[wire.kind],
        trace_id=wire.trace_id.hex(),
        span_id=wire.span_id.hex(),
        parent=wire.parent_span_id.hex(),
        state=wire.trace_state,
        began_ns=wire.start_time_unix_nano,
        ended_ns=wire.end_time_unix_nano,
        values={each.key: plain(each.value) for each in wire.attributes},
        events=[
            Event(event.name, event.time_unix_nano, {each.key: plain(each.value) for each in event.attributes})
            for event in wire.events
        ],
        status=wire.status.code,
        message=wire.status.message,
        resource=resource,
    )


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector at `url`."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if collector.stuck:
                collector.over.wait(60)
                self.close_connection = True
                return
            if collector.status == 200:
                collector.took(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(collector.status)
            if collector.status // 100 == 3:
                self.send_header("location", f"{collector.url}/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_request(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def close() -> None:
        collector.over.set()
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE_S)

    collector.close = close
    try:
        yield collector
    finally:
        close()
