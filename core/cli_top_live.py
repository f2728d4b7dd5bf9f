"""What `top` does: listens to the proxy, and draws or prints. It waits for a proxy that restarts."""

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from queue import Empty, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from core.cli_admin import Admin
from core.cli_common import refuse_with
from core.cli_proxy import NoProxyError

if TYPE_CHECKING:
    from core.top_figures import Figures

#: Seconds between two pictures, two looks at targets and rules, and two attempts to reach a proxy that is away.
PICTURE_S: Final = 0.5
ASIDE_S: Final = 5.0
AGAIN_S: Final = 1.0
#: A feed that is silent for so long is dead: the proxy sends a tick each second.
SILENT_S: Final = 20.0
#: Lines of a picture that is printed.
_LINES: Final = 60
#: Events that wait to be drawn; a terminal that was stopped must not cost memory.
_WAITING: Final = 10_000


class Told(NamedTuple):
    """Something that the proxy told: an event, a listing, or why it tells nothing (`away`)."""

    name: str
    data: dict[str, Any]


def watch(admin: Admin, *, once: bool, as_json: bool) -> None:
    """As the command says; BrokenPipeError if nobody reads any more."""
    if once or not (as_json or sys.stdout.isatty()):
        if not once:
            print("no terminal: one picture, as with --once", file=sys.stderr)
        _once(admin, as_json=as_json)
    elif as_json:
        _lines(admin)
    else:
        _live(admin)


def _once(admin: Admin, *, as_json: bool) -> None:
    figures = _figures()
    try:
        figures.take("hello", admin.get("/admin/overview"))
        figures.take("requests", admin.get("/admin/requests?limit=1000"))
    except NoProxyError as exc:
        refuse_with(f"{admin.address.url}: {exc}")
    for told in _aside(admin):
        figures.take(*told)
    if as_json:
        _print_line(figures)
    else:
        console = _console()
        console.print(_picture(admin, figures, "", (console.width, _LINES)))


def _aside(admin: Admin) -> Iterator[Told]:
    """Targets and rules; a proxy that does not tell of them shows none."""
    for name in ("providers", "rules"):
        with suppress(NoProxyError):
            yield Told(name, admin.get(f"/admin/{name}"))


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, soft_wrap=False)


def _picture(admin: Admin, figures: "Figures", state: str, size: tuple[int, int]) -> Any:
    from core.cli_top_frame import frame

    return frame(figures, where=admin.address.url, state=state, now_ms=time.time() * 1000, size=size)


def _print_line(figures: "Figures") -> None:
    import msgspec

    now = time.time() * 1000
    line = {"at_ms": round(now), **figures.summary(now), "targets": figures.targets, "rules": figures.rules}
    print(msgspec.json.encode(line).decode(), flush=True)


def _lines(admin: Admin) -> None:
    """A line of JSON each second, until somebody ends it; none while no proxy tells."""
    figures = _figures()
    with _telling(admin) as queue:
        while True:
            told = queue.get()
            figures.take(*told)
            if told.name == "tick":
                _print_line(figures)


def _figures() -> "Figures":
    from core.top_figures import Figures

    return Figures()


def _live(admin: Admin) -> None:
    from rich.live import Live

    console, figures = _console(), _figures()
    state = "waits for the proxy"
    with (
        _keys() as pressed,
        _telling(admin) as queue,
        Live(console=console, screen=True, auto_refresh=False, transient=True) as live,
    ):
        while not pressed(PICTURE_S):
            with suppress(Empty):
                while True:
                    told = queue.get_nowait()
                    figures.take(*told)
                    state = str(told.data.get("why", "")) if told.name == "away" else ""
            live.update(_picture(admin, figures, state, tuple(console.size)), refresh=True)


@contextmanager
def _telling(admin: Admin) -> "Iterator[Queue[Told]]":
    """What the proxy tells, in order; two threads listen."""
    queue, over = Queue[Told](_WAITING), Event()
    for work in (_follow, _look_aside):
        Thread(target=work, args=(admin, queue, over), daemon=True).start()
    try:
        yield queue
    finally:
        over.set()


def _look_aside(admin: Admin, queue: Queue[Told], over: Event) -> None:
    while not over.is_set():
        for told in _aside(admin):
            _put(queue, told)
        over.wait(ASIDE_S)


def _follow(admin: Admin, queue: Queue[Told], over: Event) -> None:
    """Until it is over: the feed, and again the feed of whoever serves then."""
    while not over.is_set():
        try:
            _put(queue, Told("hello", admin.get("/admin/overview")))
            _put(queue, Told("requests", admin.get("/admin/requests?limit=1000")))
            for told in events(admin):
                _put(queue, told)
            why = "the proxy has ended; waiting for the next"
        except NoProxyError as exc:
            why = str(exc)
        _put(queue, Told("away", {"why": why}))
        over.wait(AGAIN_S)


def _put(queue: Queue[Told], told: Told) -> None:
    if queue.full():  # nobody draws: the terminal was stopped
        with suppress(Empty):
            queue.get_nowait()
    queue.put(told)


def events(admin: Admin) -> Iterator[Told]:
    """The feed, until it ends; NoProxyError says why there is none."""
    import msgspec

    from core.sse import Decoder, SSEError

    admin.judge()
    decoder = Decoder()
    try:
        with closing(HTTPConnection(admin.address.host, admin.address.port, timeout=SILENT_S)) as connection:
            connection.request("GET", "/admin/events", headers={"Authorization": f"Bearer {admin.token}"})
            answer = connection.getresponse()
            if answer.status != 200:
                raise NoProxyError(f"/admin/events: {answer.status}")
            while chunk := answer.read1(65536):
                for event in decoder.feed(chunk):
                    if event.data and isinstance(data := msgspec.json.decode(event.data), dict):
                        yield Told(event.name, data)
    except (OSError, HTTPException) as exc:
        raise NoProxyError((getattr(exc, "strerror", None) or "the feed was cut").lower()) from None
    except (SSEError, ValueError, RecursionError):
        raise NoProxyError("what answers there is no proxy of ours") from None


def _waited(seconds: float) -> bool:
    time.sleep(seconds)
    return False


@contextmanager
def _keys() -> Iterator[Any]:
    """`pressed(seconds)` waits so long and says whether `q` was pressed; without a keyboard it only waits."""
    import termios
    import tty

    if not sys.stdin.isatty():
        yield _waited
        return
    before = termios.tcgetattr(sys.stdin)

    def pressed(seconds: float) -> bool:
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        if not ready:
            return False
        typed = os.read(sys.stdin.fileno(), 1024)  # not by sys.stdin, whose buffer `select` does not see
        return not typed or b"q" in typed.lower()

    try:
        tty.setcbreak(sys.stdin)
        yield pressed
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
