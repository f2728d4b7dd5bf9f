"""The door of `/admin/*` and `/ui`, pure: what a browser is told, whose requests count, and how often one may guess.

A foreign page can make a browser send a request here, but neither our `Origin` nor a header of its own choice: a token
that is taken from `Authorization` only cannot be lent (no cookie, no query), so forged requests come without it.
"""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from core.client_address import household
from core.errors import Forbidden, RateLimited, Unauthorized

#: Nothing but our own files may run, be shown or be asked, and no text can become a script (Trusted Types).
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_OFF: Final = (
    "accelerometer", "autoplay", "camera", "clipboard-read", "display-capture", "encrypted-media", "fullscreen",
    "geolocation", "gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer", "microphone", "midi", "payment",
    "picture-in-picture", "publickey-credentials-get", "screen-wake-lock", "serial", "storage-access", "usb",
    "window-management", "xr-spatial-tracking",
)  # fmt: skip
_PAGE: Final = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-frame-options", "DENY"),
    ("permissions-policy", ", ".join(f"{name}=()" for name in _OFF)),
)
_PAGE_HEADERS: Final = tuple((name.encode(), value.encode()) for name, value in _PAGE)
_ADMIN_HEADERS: Final = (*_PAGE_HEADERS, (b"cache-control", b"no-store"))
#: A browser says from where it was made to ask. "none" is its user: an address typed, a bookmark.
_OWN_SITES: Final = frozenset({"same-origin", "none"})
#: So many different wrong tokens in so many seconds, from one address; then none is looked at.
WRONG: Final = 10
WINDOW_S: Final = 60.0
#: Addresses whose wrong tokens are remembered; the one that erred longest ago goes first.
ADDRESSES: Final = 4096


def is_admin(path: str) -> bool:
    """Whether the path is the admin plane's, whatever stands behind it."""
    return path == "/admin" or path.startswith("/admin/")


def headers_for(path: str) -> tuple[tuple[bytes, bytes], ...]:
    """What every answer on that path carries, errors too."""
    if is_admin(path):
        return _ADMIN_HEADERS
    return _PAGE_HEADERS if path == "/ui" or path.startswith("/ui/") else ()


def check_site(headers: Mapping[str, str]) -> None:
    """Forbidden if a browser says that another site made it ask."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in _OWN_SITES:
        raise Forbidden(f"Sec-Fetch-Site {site[:40]!r}: only the proxy's own page may use the admin plane")


def check_token(headers: Mapping[str, str], token: str, address: str, brake: "Brake") -> None:
    """Unauthorized without the admin token, RateLimited after too many wrong ones. An empty `token` lets nobody in."""
    given = given_token(headers)
    brake.check(address)
    if same(given, token):
        return
    if given:
        brake.wrong(address, _digest(given))
    what = "the admin token is wrong" if given else "no admin token"
    refusal = Unauthorized(
        f"{what}: send it as Authorization: Bearer TOKEN; it is server.admin_token, or else the file admin-token in "
        "the state folder, and `serve` prints it with the page's address"
    )
    refusal.headers["www-authenticate"] = 'Bearer realm="admin"'
    raise refusal


def same(given: str, token: str) -> bool:
    """Whether somebody gave the token; compared by digest, in constant time. None is never right."""
    return hmac.compare_digest(_digest(given), _digest(token)) and token != ""


def given_token(headers: Mapping[str, str]) -> str:
    """The token of a request; empty if it brings none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


class Brake:
    """Who guesses must wait. A wrong token that comes again counts once: a page left open, which has an old one and
    asks again and again, locks nobody out. `clock` gives seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        #: Address to the wrong tokens' digests and when each came first; the address that erred last is the last.
        self._wrong: OrderedDict[str, dict[bytes, float]] = OrderedDict()

    def check(self, address: str) -> None:
        """RateLimited if too many were wrong."""
        recent = self._recent(household(address))
        if len(recent) >= WRONG:
            wait_s = min(recent.values()) + WINDOW_S - self._clock()
            refusal = RateLimited(f"{WRONG} wrong admin tokens came from your address; wait {wait_s:.0f} s")
            refusal.headers["retry-after"] = str(max(1, round(wait_s)))
            raise refusal

    def wrong(self, address: str, digest: bytes) -> None:
        """One more."""
        name = household(address)
        recent = self._recent(name)
        recent.setdefault(digest, self._clock())
        self._wrong[name] = recent
        self._wrong.move_to_end(name)
        if len(self._wrong) > ADDRESSES:
            self._wrong.popitem(last=False)

    def _recent(self, name: str) -> dict[bytes, float]:
        """Those of the last minute: at most `WRONG`, for who has so many is not asked for more."""
        since = self._clock() - WINDOW_S
        return {digest: at for digest, at in self._wrong.get(name, {}).items() if at > since}
