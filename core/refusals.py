"""What is refused before any application sees it, pure: the answers, and how often the log speaks of them.

There is no path yet, so no dialect is known: the answer has Anthropic's shape, whose `error.message` OpenAI's SDKs read
as well.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from core.dialects import CLIENTS
from core.errors import type_of_status

#: The log says at most once in so many seconds what was refused for one reason.
SAY_EVERY_S = 10.0
#: When a refused client may come back, in seconds.
RETRY_AFTER_S = 1


class Refused(Exception):
    """A request that is not read on. `reason` is a label of the metric `terraphim_refused_total`."""

    def __init__(self, reason: str, status: int, message: str, *, type: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
        self.type = type or type_of_status(status)


def answer(refused: Refused) -> bytes:
    """A whole HTTP answer, after which the connection is closed."""
    body = CLIENTS["anthropic"].error_body(refused.status, refused.type, str(refused), "", None)
    again = f"retry-after: {RETRY_AFTER_S}\r\n" if refused.status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = (
        f"HTTP/1.1 {refused.status} {HTTPStatus(refused.status).phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n{again}connection: close\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Tally:
    """Counts by reason. A flood of refusals is one line of the log in `SAY_EVERY_S` for each reason, not one each."""

    counted: Callable[[str], None] = lambda _: None
    _since: Counter[str] = field(default_factory=Counter)
    _said: dict[str, float] = field(default_factory=dict)

    def add(self, reason: str) -> None:
        """One more."""
        self.counted(reason)
        self._since[reason] += 1

    def due(self, now: float) -> dict[str, int]:
        """Reason to how many since the last time that it was due; only those that may be said again."""
        ripe = [reason for reason in self._since if now - self._said.get(reason, now - SAY_EVERY_S) >= SAY_EVERY_S]
        for reason in ripe:
            self._said[reason] = now
        return {reason: self._since.pop(reason) for reason in ripe}
