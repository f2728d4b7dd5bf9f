"""What a shell offers for an argument. Completion is quick to give up: what cannot be read is not offered, and nothing
is said.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any, Final

import typer

#: So many are offered at most.
_MOST: Final = 50


def _offered(found: Callable[[typer.Context], Iterable[str]]) -> Callable[[typer.Context, str], list[str]]:
    """A completer of what is found, or of nothing."""

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        with _silence():
            try:
                fitting = (each for each in found(context) if each.startswith(incomplete) and each.isprintable())
                return list(islice(dict.fromkeys(fitting), _MOST))
            except (Exception, SystemExit):  # noqa: BLE001  # a shell's line must stay as it is
                return []

    return complete


@contextmanager
def _silence() -> Iterator[None]:
    before, sys.stderr = sys.stderr, StringIO()
    try:
        yield
    finally:
        sys.stderr = before


def _path(context: typer.Context, name: str) -> Path | None:
    """An option that stands on the line already."""
    given: Any = context.params.get(name)
    return Path(given) if given else None


def _rules(context: typer.Context) -> Iterable[str]:
    from core.cli_common import load_config

    folder = load_config(_path(context, "config"), _path(context, "plugins")).settings.plugins.dir
    return sorted(path.stem for path in (folder or Path()).iterdir() if path.suffix in {".wasm", ".wat"})


def _targets(context: typer.Context) -> Iterable[str]:
    from core.cli_common import load_config

    config = load_config(_path(context, "config")).settings
    routing = config.routing
    yield from (routing.default, *routing.fallback)
    yield from filter(None, routing.runtime.model_dump().values())
    yield from (f"{name},{model}" for name, each in config.providers.items() for model in each.models)


def _requests(context: typer.Context) -> Iterable[str]:
    from core.cli_chosen import folder
    from core.state.ledger import read

    found = read(folder(_path(context, "config")), newest_first=True, broken=lambda _: None)
    return (record.request_id for record in islice(found, _MOST))


def _snapshots(_: typer.Context) -> Iterable[str]:
    from core.cli_snapshot import store

    return (entry.name for entry in store().list())


rules, targets = _offered(_rules), _offered(_targets)
requests, snapshots = _offered(_requests), _offered(_snapshots)
