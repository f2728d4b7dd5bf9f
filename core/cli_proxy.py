"""The running proxy, as commands see it: where it is, whether it is ours, and what it answers."""

from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from socket import SHUT_RDWR
from threading import Timer
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from core import port_owner
from core.visible import visible

#: Seconds that a proxy is waited for, and bytes that it may say.
PATIENCE_S: Final = 2.0
MOST: Final = 16 << 20
#: How what is no single address is asked. A resolver may take `localhost` for `::1`, where somebody else may listen:
#: whose port it is must be judged of the very address that is asked then.
_ASKED: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}  # noqa: S104


class Address(NamedTuple):
    """Where a proxy listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """As clients name it."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


class NoProxyError(Exception):
    """Why no proxy of ours answers, for people."""


class NothingThereError(NoProxyError):
    """Nobody listens there."""


class RefusedError(NoProxyError):
    """A proxy answered with an error; `status` is its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


def listening_at(host: str, port: int) -> Address:
    """The address by which a proxy that listens on `host` is asked from this machine."""
    return Address(_ASKED.get(host, host), port)


def parse(url: str) -> Address:
    """Of `http://HOST:PORT`, as `listening_at`; ValueError says what is wrong with it."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/") or parts.query or "@" in parts.netloc:
        raise ValueError("it is not http://HOST:PORT")
    return listening_at(parts.hostname, parts.port or 80)  # a bad port is a ValueError of its own


def ask(address: Address, path: str, token: str = "", *, patience_s: float = PATIENCE_S) -> Any:
    """What `GET path` answers, JSON decoded; NoProxyError says why nothing of ours does. After `patience_s` the
    connection is cut, however lively it is.
    """
    import msgspec

    connection = HTTPConnection(address.host, address.port, timeout=patience_s)
    deadline = Timer(patience_s, _cut, [connection])
    deadline.daemon = True
    deadline.start()
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        status, told = answer.status, msgspec.json.decode(answer.read(MOST))
    except ConnectionRefusedError:
        raise NothingThereError("nobody listens there") from None
    except (OSError, HTTPException, AttributeError) as exc:  # a connection that is cut may be None by now
        raise NoProxyError("it took too long" if deadline.finished.is_set() else _why(exc)) from None
    except (ValueError, RecursionError):
        raise NoProxyError("what answers there is no proxy of ours") from None
    finally:
        deadline.cancel()
        connection.close()
    if status not in {200, 503}:
        raise RefusedError(status, _message(told))
    return told


def _cut(connection: HTTPConnection) -> None:
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(SHUT_RDWR)


def _why(exc: Exception) -> str:
    if isinstance(exc, TimeoutError):
        return "it took too long"
    return (getattr(exc, "strerror", None) or "what answers there speaks no HTTP, or was cut").lower()


def _message(told: Any) -> str:
    error = told.get("error") if isinstance(told, dict) else None
    return visible(error.get("message", "")) if isinstance(error, dict) else "no reason"


def health(address: Address, *, patience_s: float = PATIENCE_S) -> dict[str, Any]:
    """What `/health` of our proxy says; NoProxyError if nothing answers, what answers is something else, or the port
    belongs to another user of this machine, who would read what a client says to it.
    """
    if port_owner.is_foreign(owner := port_owner.owner_of(address.host, address.port)):
        raise NoProxyError(f"the port is held by {owner}, not by you: nothing is sent there")
    told = ask(address, "/health", patience_s=patience_s)
    known = isinstance(told, dict) and isinstance(told.get("version"), str) and isinstance(told.get("snapshot"), str)
    if not known:
        raise NoProxyError("what answers there is no proxy of ours")
    return dict(told)
