"""`statusline`: what Claude Code shows below its prompt. It is quick, never fails, and says so if nobody answers."""

import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import typer

#: Seconds until "proxy down": Claude Code waits for nobody longer.
PATIENCE_S: Final = 0.3
#: Claude Code passes a few kilobytes.
_MOST: Final = 1 << 20
#: How many requests the proxy is asked for; it remembers no more.
_KEPT: Final = 1000

BaseUrl = Annotated[
    str, typer.Option("--url", envvar="ANTHROPIC_BASE_URL", help="Where the proxy is; as Claude Code asks it.")
]
Token = Annotated[Path | None, typer.Option("--token-file", help="File with the admin token, if not the proxy's own.")]
State = Annotated[Path | None, typer.Option(envvar="XDG_STATE_HOME", hidden=True, help="The folder of states.")]


class _LateError(Exception):
    pass


def statusline(
    url: BaseUrl = "http://127.0.0.1:3456",
    token_file: Token = None,
    wait: Annotated[float, typer.Option(min=0.01, help="Seconds until it says that the proxy is down.")] = PATIENCE_S,
    state_home: State = None,
) -> None:
    """Print a line for Claude Code's status line: model, reason and cost of the session that it names on stdin."""
    from core.status_line import DOWN

    def late(_: int, __: FrameType | None) -> None:
        raise _LateError

    said = f"{DOWN} (no answer in {wait:g} s)"
    with suppress(_LateError):  # around all of it: the alarm may come when the line is there already
        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, wait)
        try:
            said = _line(
                url, wait, token_file or (state_home or Path.home() / ".local/state") / "terraphim-proxy/admin-token"
            )
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    with suppress(OSError, ValueError):
        print(said, flush=True)


def _line(url: str, wait: float, token_file: Path) -> str:
    from core.cli_admin import Admin, read_token
    from core.cli_proxy import NoProxyError, NothingThereError, RefusedError, parse
    from core.status_line import DOWN, line, session_of, short_of
    from core.visible import visible

    try:
        session = session_of(_input())
        address = parse(url)
        admin = Admin(address, read_token(token_file))
        query = f"&q=session:{short_of(session)}" if session else ""
        told = admin.get(f"/admin/requests?limit={_KEPT}{query}", patience_s=wait)
        return line(told["requests"], session, forgets=told.get("kept", 0) >= _KEPT)
    except NothingThereError:
        return DOWN
    except RefusedError as exc:
        return f"proxy up, refuses the admin token ({exc.status}): name it with --token-file"
    except NoProxyError as exc:
        return visible(f"{DOWN}: {exc}", 120)
    except (OSError, UnicodeError):
        return "no admin token: `terraphim-proxy serve` makes one; name another file with --token-file"
    except (ValueError, TypeError, KeyError, AttributeError):
        return "no proxy of ours at ANTHROPIC_BASE_URL"


def _input() -> bytes:
    """What stands on standard input; nothing if it is a terminal, closed, or cannot be read."""
    try:
        return b"" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.buffer.read(_MOST)
    except (OSError, ValueError):
        return b""
