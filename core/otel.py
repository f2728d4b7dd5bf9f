"""Spans through OpenTelemetry's SDK, sent to a collector by OTLP over HTTP. The only importer of `opentelemetry`.

The SDK and its exporter read the environment's `OTEL_*` themselves, so that each means what their documentation says;
nothing of it is read, copied or overridden here. What is set here is what the environment cannot say: connections that
take no proxy variables, no `.netrc` and no redirect, a name of the service where none is given, and a bound on what
waits that counts what it drops.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Any, Final, NamedTuple

import requests
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode

from core import __version__
from core.spans import Span, Values
from core.trace import Trace

SERVICE: Final = "terraphim-proxy"
#: Told how many spans were exported, or lost; called in the exporter's thread too.
Counted = Callable[[str, int], None]


#: What a finished request becomes: attributes and error of its own span, and the spans inside.
Parts = tuple[tuple[Values, str], list[Span]]


class _Over(NamedTuple):
    """A request that is over: how long it took, how many spans it was given room for, and what makes them."""

    begun: Trace
    ms: float
    room: int
    parts: Callable[[], Parts]


class Otel:
    """One tracer, its queue, and the way to the collector.

    A request's own span begins on the event loop, for its id and whether it is sampled are needed at once. Everything
    else is done when the request is over, in a thread: half a millisecond for six spans.
    """

    def __init__(self, *, named: bool, queue: int, counted: Counted, failed: Callable[[Exception], None]) -> None:
        """`named`: the environment names the service. `queue` is how many spans may wait. `failed` is told of bugs."""
        self._failed = failed
        own = {SERVICE_VERSION: __version__} | ({} if named else {SERVICE_NAME: SERVICE})
        self._ids = _Ids()
        self._provider = TracerProvider(resource=Resource.create(own), id_generator=self._ids, shutdown_on_exit=False)
        self._exporter = _Counting(OTLPSpanExporter(session=_session()), counted)
        self._counted, self._queue = counted, queue
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter, max_queue_size=queue))
        self._tracer = self._provider.get_tracer(SERVICE, __version__)
        self._over: SimpleQueue[_Over | None] = SimpleQueue()
        self._maker = threading.Thread(target=self._make_all, name="traces", daemon=True)
        self._maker.start()
        for chatty in ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal"):
            logging.getLogger(chatty).setLevel(logging.CRITICAL)  # who counts says it, once

    def begin(self, headers: Mapping[str, str], name: str, values: Values, began_ns: int, *, onward: bool) -> Trace:
        """A request's own span, in the trace that its headers name or in a new one. `onward`: providers are told."""
        parent = propagate.extract(headers, Context())
        span = self._tracer.start_span(name, parent, SpanKind.SERVER, values, start_time=began_ns)
        context = span.get_span_context()
        return Trace(
            trace_id=f"{context.trace_id:032x}",
            span_id=f"{context.span_id:016x}",
            held=span,
            began_ns=began_ns,
            recorded=span.is_recording(),
            new_id=self._ids.random.generate_span_id,
            carry=partial(_carried, context) if onward else None,
        )

    def end(self, begun: Trace, ms: float, room: int, parts: Callable[[], Parts]) -> None:
        """The request is over; its spans, about as many as `room`, wait for the exporter, all of them or none."""
        if self._exporter.take(room, self._queue):
            self._over.put(_Over(begun, ms, room, parts))
        else:
            self._counted("lost", room)

    def _make_all(self) -> None:
        while (over := self._over.get()) is not None:
            made = 0
            try:
                made = self._make_request(over)
            except Exception as exc:  # noqa: BLE001  # the thread must not end, whatever a request was
                self._failed(exc)
            finally:
                self._exporter.correct(made - over.room)
            time.sleep(0)  # the event loop may want to go on

    def _make_request(self, over: _Over) -> int:
        """How many spans it became."""
        begun, (closing, inside) = over.begun, over.parts()
        for span in inside:
            self._make(span, begun.held, begun.began_ns)
        values, error = closing
        begun.held.set_attributes(values)
        if error:
            begun.held.set_status(Status(StatusCode.ERROR, error))
        begun.held.end(begun.began_ns + round(over.ms * 1e6))
        return 1 + sum(1 + len(span.inside) for span in inside)

    def _make(self, span: Span, parent: Any, began_ns: int) -> None:
        def at(ms: float) -> int:
            return began_ns + round(ms * 1e6)

        self._ids.give(span.id)
        kind = SpanKind.CLIENT if span.client else SpanKind.INTERNAL
        context = trace.set_span_in_context(parent, Context())
        made = self._tracer.start_span(span.name, context, kind, span.values, start_time=at(span.began_ms))
        for event in span.events:
            made.add_event(event.name, event.values, at(event.at_ms))
        for inner in span.inside:
            self._make(inner, made, began_ns)
        if span.error:
            made.set_status(Status(StatusCode.ERROR, span.error))
        made.end(at(span.ended_ms))

    def close(self, wait_s: float) -> None:
        """Send what waits, for so many seconds at most; what is not sent then is lost."""
        until = time.monotonic() + wait_s
        self._over.put(None)
        self._maker.join(wait_s)
        closing = threading.Thread(target=self._provider.shutdown, name="traces-end", daemon=True)
        closing.start()
        closing.join(max(0.0, until - time.monotonic()))
        self._exporter.stop()


def _carried(own: SpanContext, span_id: int) -> Mapping[str, str]:
    """What tells a provider of the trace, for a span with an id that is not made yet. No baggage of the client's."""
    context = SpanContext(
        own.trace_id, span_id, is_remote=False, trace_flags=own.trace_flags, trace_state=own.trace_state
    )
    carrier: dict[str, str] = {}
    propagate.inject(carrier, trace.set_span_in_context(NonRecordingSpan(context), Context()))
    return carrier


class _Ids(IdGenerator):
    """Random ones, but for the span that somebody was told of before it is made."""

    def __init__(self) -> None:
        self.random = RandomIdGenerator()
        self._given = threading.local()  # requests begin on the loop while spans are made in the thread

    def give(self, span_id: int) -> None:
        """The next span that this thread makes has this id; 0 is any."""
        self._given.id = span_id

    def generate_trace_id(self) -> int:
        return self.random.generate_trace_id()

    def generate_span_id(self) -> int:
        given: int = getattr(self._given, "id", 0)
        self._given.id = 0
        return given or self.random.generate_span_id()


class _Counting(SpanExporter):
    """Counts what waits, what was sent and what was lost."""

    def __init__(self, exporter: SpanExporter, counted: Counted) -> None:
        self._exporter, self._counted = exporter, counted
        self._lock = threading.Lock()
        self._waiting = 0
        self._stopped = False

    def take(self, count: int, most: int) -> bool:
        """Whether so many more may wait."""
        with self._lock:
            if self._waiting + count > most:
                return False
            self._waiting += count
            return True

    def correct(self, by: int) -> None:
        """So many more wait than were taken."""
        with self._lock:
            self._waiting += by

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception:  # noqa: BLE001  # whatever it is, these are lost and the next ones are tried
            result = SpanExportResult.FAILURE
        self._gone(len(spans), "exported" if result is SpanExportResult.SUCCESS else "lost")
        return result

    def _gone(self, count: int, outcome: str) -> None:
        with self._lock:
            count = min(count, self._waiting)
            self._waiting -= count
        self._counted(outcome, count)

    def stop(self) -> None:
        """What still waits is lost."""
        self.shutdown()
        self._gone(self._waiting, "lost")

    def shutdown(self) -> None:
        with self._lock:
            stopped, self._stopped = self._stopped, True
        if not stopped:
            self._exporter.shutdown()


def _session() -> requests.Session:
    """Connections to the address that the operator gave, and to no other."""
    session = requests.Session()
    session.trust_env = False
    session.hooks["response"].append(_refuse_redirects)
    return session


def _refuse_redirects(answer: requests.Response, *_: Any, **__: Any) -> None:
    """The exporter follows none, and takes one for success."""
    if 300 <= answer.status_code < 400:
        raise requests.exceptions.InvalidURL(f"the collector answered {answer.status_code}")
