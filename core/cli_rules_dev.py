"""`rules dev`: work on a rule while a proxy serves. What a round does is in `wasm_host.follow`."""

import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from core.cli_common import Config, Plugins, cache_folder, load_config, refuse_with


def rules_dev(
    path: Annotated[Path, typer.Argument(help="A folder with a build.sh or a Makefile, or a .wat or .wasm file.")],
    config: Config = None,
    plugins: Plugins = None,
) -> None:
    """At every change build, check and test a rule, and swap it into the plugins folder in shadow mode."""
    from core import cli_rules
    from wasm_host.follow import Place, follow
    from wasm_host.workshop import NoModule, open_workshop

    loaded = load_config(config, plugins)
    folder = loaded.settings.plugins.dir
    if folder is None or (plugins is None and loaded.path is None):
        refuse_with("there is no configuration: name the proxy's plugins folder with --plugins")
    place = Place(
        folder,
        cli_rules.operators(loaded),
        cli_rules.configured_targets(loaded),
        cache_folder(),
        partial(_promoted, loaded.state),
    )
    try:
        workshop = open_workshop(path)
    except NoModule as exc:
        refuse_with(str(exc))
    try:
        for step in follow(workshop, place, sleep=interruptible()):
            print(step, flush=True)
    except KeyboardInterrupt:
        print(f"ended; what was swapped stays in {folder}, in shadow mode")


def _promoted(state: Path | None, name: str, sha256: str) -> bool:
    """Whether a move lets the module decide."""
    from core.rollout import SHADOW
    from core.state.rollouts import RolloutFile
    from wasm_host.files import Unusable

    try:
        move = None if state is None else RolloutFile(state).read().last(name, sha256)
    except Unusable:  # moves nothing in a proxy either
        return False
    return move is not None and move.to != str(SHADOW)


def interruptible() -> Callable[[float], None]:
    """A sleep, and from now on SIGINT and SIGTERM raise KeyboardInterrupt: at once, or else in the next sleep.

    Python drops an exception that is raised while an object is destroyed or a library calls back, and with it the only
    word that the user wants an end.
    """
    heard: list[int] = []

    def hear(number: int, _: object) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    def sleep(seconds: float) -> None:
        if heard:
            raise KeyboardInterrupt
        time.sleep(seconds)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hear)
    return sleep
