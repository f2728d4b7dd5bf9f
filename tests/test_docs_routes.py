"""Every route is documented once, and every documented one is there."""

from pathlib import Path

import httpx
from documents import DOCS, keys
from proxy import RunningProxy
from routes import routes

from core.admin_door import is_admin
from core.data_plane import DATA_PLANE

OPERATIONS = DOCS / "operations.md"


def test_every_endpoint_is_documented_once(embedded: RunningProxy, tmp_path: Path) -> None:
    """Each answers something but 404 and 405, and no other path of the program is left out."""
    documented = keys(OPERATIONS, "endpoint")
    for entry in documented:
        method, path = entry.split()
        body = {"model": "auto", "max_tokens": 9, "input": "hi", "messages": [{"role": "user", "content": "hi"}]}
        path = path.replace("/ui/NAME", "/ui/index.html")
        response = httpx.request(method, embedded.url + path, json=body if method == "POST" else None)
        assert response.status_code == 200, entry
    named = {shown for method, shown in routes(tmp_path) if not is_admin(shown)}
    assert sorted(entry.split()[1] for entry in documented) == sorted(named | set(DATA_PLANE))


def test_every_route_of_the_admin_plane_is_documented_once(tmp_path: Path) -> None:
    there = [f"{method} {shown}" for method, shown in routes(tmp_path) if is_admin(shown)]
    assert sorted(keys(OPERATIONS, "admin endpoint")) == sorted(there)
