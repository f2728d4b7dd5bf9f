"""Whether requests are traced, as the environment's `OTEL_*` say, and what is said of it when that goes wrong.

Without OpenTelemetry's SDK (the extra `otel`), or without a word in the environment, nothing of it is loaded.
"""

import threading
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from core import spans
from core.exchange import Exchange
from core.generation import Generation
from core.redaction import NOTHING, Redactor
from core.schema import ProviderSettings
from core.trace import Trace

if TYPE_CHECKING:
    from core.otel import Otel

Say = Callable[[dict[str, object], str], None]
#: Seconds without a loss after which the collector counts as well again; a loss is said at most so often.
WELL_AFTER_S: Final = 30.0
#: A stop waits so long for the collector.
PATIENCE_S: Final = 1.0
QUEUE: Final = 2048
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def wanted(env: Mapping[str, str]) -> tuple[bool, str]:
    """Whether spans are asked for, and else why not, if that deserves a word: OpenTelemetry's variables for exporters,
    of which none that is set means none at all.
    """
    exporter = env.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return False, ""
    if not exporter and not any(env.get(name) for name in _ENDPOINTS):
        return False, ""
    if exporter not in {"", "otlp"}:
        return False, "OTEL_TRACES_EXPORTER is another exporter: set it to otlp"
    protocol = env.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or env.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if protocol and protocol.strip().lower() != "http/protobuf":
        return False, "OTEL_EXPORTER_OTLP_PROTOCOL is another protocol: set it to http/protobuf (usually port 4318)"
    return True, ""


def secrets_of(env: Mapping[str, str]) -> list[str]:
    """What the collector is shown as a key, which no log may hold: values of the headers that it is sent."""
    given = (env.get(f"OTEL_EXPORTER_OTLP_{signal}HEADERS", "") for signal in ("TRACES_", ""))
    return [part.partition("=")[2].strip() for headers in given for part in headers.split(",") if "=" in part]


class Traces:
    """The traces of one process. `say` takes log lines, `count` how many spans were exported or lost."""

    def __init__(
        self,
        env: Mapping[str, str],
        say: Say,
        count: Callable[[str, int], None] = lambda *_: None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._say, self._now_ns = say, now_ns
        self._outage = Outage(say, count, clock)
        self._onward = False
        self._providers: Mapping[str, ProviderSettings] = {}
        self._known: Redactor = NOTHING
        self._failed = False
        on, why = wanted(env)
        self._otel = self._opened(env) if on else None
        if why:
            say({"event": "traces_off", "why": why}, "warning")

    def _opened(self, env: Mapping[str, str]) -> "Otel | None":
        named = "OTEL_SERVICE_NAME" in env or "service.name=" in env.get("OTEL_RESOURCE_ATTRIBUTES", "")
        size = env.get("OTEL_BSP_MAX_QUEUE_SIZE", "")
        queue = int(size) if size.isdecimal() and int(size) else QUEUE
        try:
            host = urlsplit(next((env[name] for name in _ENDPOINTS if env.get(name)), "")).hostname or "localhost"
            from core.otel import Otel  # noqa: PLC0415  # an extra, and slow to load; it reads OTEL_PROPAGATORS then

            otel = Otel(named=named, queue=queue, counted=self._outage.count, failed=self._bug)
        except ImportError:
            why = "OTEL_* asks for traces, and OpenTelemetry's SDK is missing: pip install 'terraphim-llm-proxy[otel]'"
            self._say({"event": "traces_off", "why": why}, "warning")
            return None
        except Exception as exc:  # noqa: BLE001  # a wrong variable must not keep the proxy from serving
            why = f"OpenTelemetry's SDK refuses the environment ({type(exc).__name__}): look at the OTEL_* variables"
            self._say({"event": "traces_off", "why": why}, "warning")
            return None
        self._say({"event": "traces_on", "collector": host}, "info")
        return otel

    def use(self, generation: Generation) -> None:
        """This configuration from now on."""
        self._onward = generation.loaded.settings.traces.upstream
        self._providers = generation.loaded.settings.providers
        self._known = generation.loaded.secrets.redactor

    def begin(self, method: str, headers: Mapping[str, str], exchange: Exchange) -> Trace | None:
        """A request arrives; None if it is not traced."""
        if self._otel is None:
            return None
        try:
            name, values = spans.opening(method, exchange.endpoint, exchange.request_id)
            begun = self._otel.begin(headers, name, values, self._now_ns(), onward=self._onward)
        except Exception as exc:  # noqa: BLE001  # no request fails because of its trace
            self._bug(exc)
            return None
        return begun if begun.recorded or self._onward else None

    def end(self, exchange: Exchange, seconds: float) -> None:
        """It is over; `exchange.trace` is what it began with."""
        if self._otel is None or exchange.trace is None or not exchange.trace.recorded:
            return
        try:
            ms = seconds * 1000
            parts = partial(spans.parts, exchange, exchange.trace, ms, self._providers, self._known)
            self._otel.end(exchange.trace, ms, spans.number(exchange), parts)
        except Exception as exc:  # noqa: BLE001  # no request fails because of its trace
            self._bug(exc)

    def _bug(self, exc: Exception) -> None:
        """Said once: what fails for one request fails for the next."""
        if not self._failed:
            self._failed = True
            where = "".join(traceback.format_tb(exc.__traceback__, limit=-4))
            self._say({"event": "bug", "type": type(exc).__name__, "where": where}, "error")

    def close(self) -> None:
        """Send what waits, as far as the collector takes it within `PATIENCE_S`."""
        if self._otel is not None:
            self._otel.close(PATIENCE_S)


class Outage:
    """Says when spans begin to be lost, and when none was for a while: two lines, however long that lasts."""

    def __init__(self, say: Say, count: Callable[[str, int], None], clock: Callable[[], float]) -> None:
        self._say, self._count, self._clock = say, count, clock
        self._lock = threading.Lock()
        self._lost, self._since, self._last = 0, 0.0, 0.0

    def count(self, outcome: str, count: int) -> None:
        """So many spans were `exported`, or `lost`; from any thread."""
        if not count:
            return
        self._count(outcome, count)
        now = self._clock()
        with self._lock:
            before, self._lost = self._lost, self._lost + count if outcome == "lost" else self._lost
            if outcome == "lost":
                self._last = now
            over = outcome == "exported" and before > 0 and now - self._last >= WELL_AFTER_S
            if over:
                self._lost = 0
        if outcome == "lost" and not before:
            why = "the collector takes no spans, or not as many; requests are served as ever"
            self._say({"event": "traces_lost", "why": why}, "warning")
        if over:
            self._say({"event": "traces_recovered", "lost": before}, "info")
