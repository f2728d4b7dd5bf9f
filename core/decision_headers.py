"""The response headers that say how a request was decided."""

from core.exchange import Exchange
from core.telemetry import DECISION_HEADERS


def decision_headers(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    """The headers that say how a request was decided; those not known yet are left out."""
    decision, answered = exchange.decision, exchange.answered_by
    if answered is None and decision is not None:
        answered = decision.target
    values = (
        answered.provider if answered else "",
        answered.model if answered else "",
        decision.phase if decision else "",
        decision.reason if decision else "",
        exchange.snapshot[:12],
        exchange.request_id,
        str(len(exchange.attempts)) if exchange.attempts else "",
        "1" if exchange.simulated else "",
        exchange.cache,
    )
    named = zip(DECISION_HEADERS, values, strict=True)
    return [(name, header_text(value).encode()) for name, value in named if value]


def header_text(value: str) -> str:
    """Printable ASCII only: a model name or a reason must not be able to end a header."""
    if value.isascii() and value.isprintable():
        return value[:256]
    return "".join(char if " " <= char <= "~" else "?" for char in value[:256])
