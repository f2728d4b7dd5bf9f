"""Promises are one page for whoever has the token, and for nobody else."""

import httpx
from proxy import RunningProxy

from core.shown_promises import PROMISES
from core.web.admin import MODULES

PATHS = ("overview", "rules", "taxonomy", "providers", "limits", "promises")


def test_every_promise_is_there(embedded: RunningProxy) -> None:
    found = httpx.get(f"{embedded.url}/admin/promises", headers=embedded.admin).json()["promises"]
    assert [row["name"] for row in found] == list(PROMISES)


def test_nothing_is_told_without_the_token(embedded: RunningProxy) -> None:
    for path in PATHS:
        assert httpx.get(f"{embedded.url}/admin/{path}").status_code == 401, path
        foreign = {**embedded.admin, "origin": "https://evil.example"}
        assert httpx.get(f"{embedded.url}/admin/{path}", headers=foreign).status_code == 403, path
    assert len(MODULES) >= len(PATHS) - 1
