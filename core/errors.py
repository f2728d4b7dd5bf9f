"""Everything that may go wrong, and what a client may read of it.

ProxyError                   status, type (Anthropic's names), message, details
├── BadRequest               400 invalid_request_error
├── Unauthorized             401 authentication_error
├── Forbidden                403 permission_error
├── NotFound                 404 not_found_error
├── Conflict                 409 invalid_request_error
├── TooSlow                  408 invalid_request_error
├── TooLarge                 413 request_too_large
├── BudgetSpent              402 billing_error, or 429 insufficient_quota for OpenAI's clients
├── RateLimited              429 rate_limit_error
├── Overloaded               529 overloaded_error
├── Unavailable              the same for a client whose targets are all closed off for now
├── ShuttingDown             529, or 503 for clients that do not know it; overloaded_error
└── UpstreamFailed           what a provider answered, or that it did not; `stage` says how far the request got
ConfigError                  the operator's mistake: file, line, message and suggestion; never a client's business
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Anthropic's error type for an HTTP status (docs, "Errors").
TYPE_OF_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
STATUS_OF_TYPE = {name: status for status, name in TYPE_OF_STATUS.items()}


def type_of_status(status: int) -> str:
    """The error type for any status: the exact one, or the class's."""
    return TYPE_OF_STATUS.get(status) or ("invalid_request_error" if status < 500 else "api_error")


class ProxyError(Exception):
    """An error that a client may read, in whole: put nothing into `message` that it must not see."""

    status = 500

    def __init__(self, message: str, *, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.headers: dict[str, str] = {}

    @property
    def type(self) -> str:
        return type_of_status(self.status)


class BadRequest(ProxyError):
    """The request cannot be understood or served as it is."""

    status = 400


class Unauthorized(ProxyError):
    """No client key, or a wrong one."""

    status = 401


class Forbidden(ProxyError):
    """Host or Origin that is not ours, or a target that the client's key may not ask."""

    status = 403


class NotFound(ProxyError):
    """No such path, provider or model."""

    status = 404


class Conflict(ProxyError):
    """It cannot be done as things are."""

    status = 409


class MethodNotAllowed(ProxyError):
    """The path exists for another method."""

    status = 405


class TooSlow(ProxyError):
    """The body did not arrive in time."""

    status = 408


class TooLarge(ProxyError):
    """The body is over the limit."""

    status = 413


class UnsupportedMediaType(ProxyError):
    """The body is not declared as JSON."""

    status = 415


class BudgetSpent(ProxyError):
    """The key may spend no more. 402 is Anthropic's for billing; OpenAI says 429 and a code of its own, which tells its
    clients that waiting is no use (docs, "Error codes").
    """

    def __init__(self, message: str, dialect: str) -> None:
        self._anthropic = dialect == "anthropic"
        super().__init__(message, details=None if self._anthropic else {"error_code": "insufficient_quota"})
        self.status = 402 if self._anthropic else 429
        self.headers["x-should-retry"] = "false"

    @property
    def type(self) -> str:
        return "billing_error" if self._anthropic else "insufficient_quota"


class RateLimited(ProxyError):
    """Too many requests."""

    status = 429


class Overloaded(ProxyError):
    """The proxy itself has no room."""

    status = 529


class Unavailable(ProxyError):
    """No target can be asked now: their breakers are open, or they rest. 529 is Anthropic's own status."""

    def __init__(self, message: str, dialect: str) -> None:
        super().__init__(message)
        self.status = 529 if dialect == "anthropic" else 503

    @property
    def type(self) -> str:
        return "overloaded_error"


class ShuttingDown(ProxyError):
    """The proxy stops, and its patience with this request is over. 529 is Anthropic's own status."""

    def __init__(self, dialect: str) -> None:
        super().__init__("the proxy is shutting down; send the request again")
        self.status = 529 if dialect == "anthropic" else 503
        self.headers["retry-after"] = "1"

    @property
    def type(self) -> str:
        return "overloaded_error"


class Denied(ProxyError):
    """A rule said no, with the status that it chose."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class UpstreamFailed(ProxyError):
    """A provider refused or failed.

    `stage` is how far the request got: `not_sent`, `unknown` (sent, then nothing), `answered` (a status came), `cut`
    (the answer broke off) or `stalled` (a clock ran out in the middle of it). `body` is the provider's own error,
    already in the client's dialect, to be relayed verbatim. `lasting` failures do not pass by themselves: an address
    that is refused, a certificate that is not valid.
    """

    def __init__(
        self, status: int, message: str, *, stage: str, type: str = "", body: bytes = b"", lasting: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.stage = stage
        self.body = body
        self.lasting = lasting
        self._type = type

    @property
    def type(self) -> str:
        return self._type or type_of_status(self.status)


@dataclass(frozen=True)
class Problem:
    """One mistake in a file of the operator's. `line` is 1-based, 0 when unknown."""

    path: str
    line: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        return f"{where}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class ConfigError(Exception):
    """The configuration cannot be used; every problem at once. `awaited`: files that could mend it by changing."""

    def __init__(self, problems: list[Problem], *, awaited: tuple[Path, ...] = ()) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
        self.awaited = awaited


def public_error(exc: BaseException) -> tuple[int, str, str]:
    """Status, type and message that a client may read; anything unexpected is an `api_error` without detail."""
    if isinstance(exc, ProxyError):
        return exc.status, exc.type, exc.message
    return 500, "api_error", "internal error of the proxy; its log has the details under this request id"
