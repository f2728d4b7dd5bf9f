"""Which routes there are, of the program itself: whoever adds one is seen."""

from pathlib import Path
from re import sub
from typing import Any

from core import settings
from core.app import Proxy
from core.logs import LogWriter
from core.web import site


class _Silent:
    def write(self, data: memoryview, /) -> int:
        return len(data)


def routes(home: Path) -> list[tuple[str, str]]:
    """Method and path of each route beside the data plane's, with `NAME` for what a path's parameter `name` stands for.

    One entry a path, unless several methods but HEAD have it.
    """
    env = {"HOME": str(home), "TERRAPHIM_DISCOVERY": "off"}
    log = LogWriter(_Silent())
    built: list[Any] = site.build(Proxy(lambda: settings.load(None, env), env, log)).routes
    log.close()
    return [
        (method, sub(r"\{(\w+)(:path)?\}", lambda name: name[1].upper(), route.path))
        for route in built
        for method in sorted(route.methods - ({"HEAD"} if len(route.methods) > 1 else set()))
    ]
