"""The way of commands to the admin plane: where it is, and the token. The token goes to our own proxy only."""

from pathlib import Path
from typing import Any, Final, NamedTuple

from core import port_owner
from core.cli_proxy import Address, NoProxyError, ask

#: As `core.admin_token` calls the file, which is not imported here: the status line must be quick.
TOKEN_FILE: Final = "admin-token"  # noqa: S105  # its name
_MOST: Final = 4096
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})


class Admin(NamedTuple):
    """Of one proxy."""

    address: Address
    token: str

    def get(self, path: str, *, patience_s: float = 2.0) -> Any:
        """As `cli_proxy.ask`; NoProxyError too if the port is somebody else's, or not of this machine."""
        self.judge()
        return ask(self.address, path, self.token, patience_s=patience_s)

    def judge(self) -> None:
        """NoProxyError if the token must not go there: whoever has it can change rules."""
        if self.address.host not in _LOOPBACK:
            raise NoProxyError("the admin token is sent to an address of this machine only")
        owner = port_owner.owner_of(self.address.host, self.address.port)
        if port_owner.is_foreign(owner):
            raise NoProxyError(f"the port is held by {owner}, not by you: the admin token is not sent there")


def read_token(file: Path) -> str:
    """The token in a file; OSError or ValueError if there is none."""
    with file.open("rb") as opened:
        token = opened.read(_MOST).decode("ascii").strip()
    if not token or not token.isprintable() or " " in token:
        raise ValueError("it holds no token")
    return token


def admin_of(config: Path | None, url: str, token_file: Path | None) -> Admin:
    """By the configuration, what the command line says, and the state folder; exit 1 if there is no token."""
    from core import settings
    from core.cli_common import EXIT_USAGE, load_config, refuse_with
    from core.cli_proxy import listening_at, parse

    loaded = load_config(config)
    server = loaded.settings.server
    try:
        address = parse(url) if url else listening_at(server.host, server.port)
    except ValueError as exc:
        refuse_with(f"--url: {url!r}: {exc}", EXIT_USAGE)
    if token_file is None and loaded.secrets.admin:
        return Admin(address, loaded.secrets.admin)
    file = token_file or settings.state_dir(settings.environ()) / TOKEN_FILE
    try:
        return Admin(address, read_token(file))
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or str(exc)
        refuse_with(f"no admin token: {file}: {why}; `terraphim-proxy serve` makes one, or name it with --token-file")
