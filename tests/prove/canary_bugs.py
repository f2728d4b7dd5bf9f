"""A proxy with bugs in it: `python canary_bugs.py …` is `terraphim-proxy …`, and fails when a prompt says so.

Each bug raises with everything that it has at hand in its message: the request, the headers, the provider's key.
"""

import asyncio
import threading
from typing import Any

from core.asking import Asking
from core.cli import main
from core.pipeline import Pipeline

_count, _ask = Pipeline.count, Asking.ask
_tasks: set[asyncio.Task[None]] = set()


def _fail(words: str) -> None:
    raise RuntimeError(words)


async def _fail_later(words: str) -> None:
    _fail(words)


async def _buggy_count(self: Pipeline, request: Any) -> int:
    words = bytes(request.raw).decode("utf-8", "replace")
    if "[[bug counting]]" in words:
        _fail(words)
    if "[[bug thread]]" in words:
        threading.Thread(target=_fail, args=(words,)).start()
    if "[[bug task]]" in words:
        asyncio.get_running_loop().create_task(_fail_later(words))
    return await _count(self, request)


async def _buggy_ask(self: Asking, call: Any, candidate: Any, key: Any) -> Any:
    if b"[[bug asking]]" in bytes(call.request.raw):
        _fail(f"{key.secret} {call.headers} {bytes(call.request.raw)!r}")
    return await _ask(self, call, candidate, key)


Pipeline.count = _buggy_count  # type: ignore[method-assign]
Asking.ask = _buggy_ask  # type: ignore[method-assign]
main()
