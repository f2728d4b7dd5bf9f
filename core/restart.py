"""Settings that are read at the start only: where the proxy listens, and with how many processes. Pure.

A reload takes up everything else.
"""

from typing import Final

from core.errors import Problem
from core.schema import Settings

#: Table and key. `tests/e2e/test_reload.py` finds out which these are.
AT_START: Final = (("server", "host"), ("server", "port"), ("server", "workers"))
NAMES: Final = frozenset(".".join(place) for place in AT_START)


def waiting(started: Settings, now: Settings) -> dict[str, tuple[object, object]]:
    """By name, what is in force since the start and what waits for the next one."""
    found = {}
    for table, key in AT_START:
        old, new = (getattr(getattr(settings, table), key) for settings in (started, now))
        if old != new:
            found[f"{table}.{key}"] = (old, new)
    return found


def problems(started: Settings, now: Settings, where: str) -> list[Problem]:
    """The same for people; `where` names the configuration."""
    return [
        Problem(where, 0, f"{name} = {new} counts from the next start; until then it is {old}", "restart to use it")
        for name, (old, new) in waiting(started, now).items()
    ]
