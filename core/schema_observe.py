"""What the configuration says of what the proxy tells of itself: the log, and traces."""

from typing import Literal

from core.sections import Section


class LogSettings(Section):
    """How the log on stderr looks, and from which level on. `auto` is `console` on a terminal and `json` elsewhere."""

    format: Literal["auto", "json", "console"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class TraceSettings(Section):
    """What becomes of traces; whether there are any, and where they go, is the environment's word (`OTEL_*`).
    `upstream`: providers are told of a request's trace, too.
    """

    upstream: bool = False
