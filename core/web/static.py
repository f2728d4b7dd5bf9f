"""The files of the page under `/ui`: read once, when the process starts, and served from memory.

A path is looked up among the names that were found then, so none can lead out of the folder.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import NotFound

#: In a clone as in a wheel.
FOLDER: Final = Path(__file__).parent.parent / "ui"
INDEX: Final = "index.html"
#: What else lies there (a licence) is plain text.
TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".json": "application/json",
}


@dataclass(frozen=True)
class File:
    """A file as it is sent. `etag` is its bytes' hash: who has them is told so (RFC 9110, section 13.1.2)."""

    data: bytes
    type: str
    etag: str


def read(folder: Path = FOLDER) -> Mapping[str, File]:
    """Path within the folder, with slashes, to file."""
    return {
        path.relative_to(folder).as_posix(): _file(path.read_bytes(), path.suffix)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _file(data: bytes, suffix: str) -> File:
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    return File(data, TYPES.get(suffix, "text/plain; charset=utf-8"), etag)


def routes(files: Mapping[str, File]) -> list[Route]:
    """`/ui`, `/ui/` and a file each."""

    async def serve(request: Request) -> Response:
        name = request.path_params.get("name") or INDEX
        file = files.get(name)
        if file is None:
            raise NotFound(f"{request.url.path[:200]}: the page has no such file")
        headers = {"etag": file.etag, "cache-control": "no-cache", "content-type": file.type}
        if file.etag in (tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=headers)
        return Response(file.data, headers=headers)

    return [Route("/ui", serve, methods=["GET"]), Route("/ui/{name:path}", serve, methods=["GET"])]
