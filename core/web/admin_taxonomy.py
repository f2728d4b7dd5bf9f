"""`/admin/taxonomy`: concepts, how often they are found, what lint says; and what a text would match."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core import shown_taxonomy
from core.web import answers, body

if TYPE_CHECKING:
    from core.app import Proxy


class Text(msgspec.Struct, frozen=True):
    """What somebody might write."""

    text: str


def routes(proxy: "Proxy") -> list[Route]:
    """See the module."""
    linted: tuple[str, list[dict[str, Any]]] = ("", [])

    def show(_: Request) -> Response:  # thousands of concepts, each with an hour's steps, take long
        nonlocal linted
        generation = proxy.generations.current
        snapshot = generation.snapshot
        digest, findings = linted
        if digest != snapshot.digest:
            findings = shown_taxonomy.lint(snapshot)
            linted = snapshot.digest, findings
        now_ms = time.time_ns() // 1_000_000
        found = {
            "concepts": shown_taxonomy.concepts(snapshot, proxy.figures.concepts, now_ms),
            "patterns": shown_taxonomy.pattern_count(snapshot),
            "lint": findings,
            "folder": str(generation.loaded.settings.taxonomy.dir or ""),
        }
        return answers.value(proxy.known, found)

    async def match(request: Request) -> Response:
        wanted = await body.read(request, Text)
        snapshot = proxy.generations.current.snapshot
        found = await asyncio.to_thread(shown_taxonomy.matches, snapshot, wanted.text)
        return answers.value(proxy.known, {"matches": found})

    return [
        Route("/admin/taxonomy", show, methods=["GET"]),
        Route("/admin/taxonomy/match", match, methods=["POST"]),
    ]
