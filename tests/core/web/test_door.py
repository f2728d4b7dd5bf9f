"""Who may come in, tried on the running program."""

import httpx
import pytest
from proxy import RunningProxy

OVERVIEW = "/admin/overview"
HEADERS = {
    "content-security-policy", "x-content-type-options", "referrer-policy", "cross-origin-opener-policy",
    "cross-origin-resource-policy", "x-frame-options", "permissions-policy",
}  # fmt: skip


def ask(proxy: RunningProxy, path: str = OVERVIEW, method: str = "GET", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.request(method, proxy.url + path, headers=named)


def judged(answer: httpx.Response) -> int:
    """The status of an answer that has what every answer here must have."""
    assert set(answer.headers) >= HEADERS
    assert not [name for name in answer.headers if name.startswith("access-control")]
    if answer.status_code >= 400 and answer.content:
        assert set(answer.json()["error"]) >= {"type", "message"}
    return answer.status_code


def test_with_the_token(embedded: RunningProxy) -> None:
    answer = ask(embedded, **embedded.admin)
    assert judged(answer) == 200
    assert answer.headers["cache-control"] == "no-store"
    head = ask(embedded, method="HEAD", **embedded.admin)
    assert (judged(head), head.content) == (200, b"")


@pytest.mark.parametrize("path", [OVERVIEW, "/admin", "/admin/", "/admin/nothing", "/%61dmin/overview"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_without_it_nobody_learns_which_routes_there_are(embedded: RunningProxy, path: str, method: str) -> None:
    assert judged(ask(embedded, path, method)) == 401


def test_a_token_is_taken_from_one_place(embedded: RunningProxy) -> None:
    token = embedded.token
    assert judged(ask(embedded, f"{OVERVIEW}?token={token}&access_token={token}")) == 401
    assert judged(ask(embedded, cookie=f"token={token}; authorization=Bearer {token}")) == 401
    assert judged(ask(embedded, x_api_key=token)) == 401
    assert judged(ask(embedded, authorization=f"Basic {token}")) == 401
    assert judged(ask(embedded, authorization=f"Bearer {token}x")) == 401


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "file://", "", "x"]
)
def test_a_foreign_origin(embedded: RunningProxy, origin: str) -> None:
    for path in (OVERVIEW, "/ui"):
        assert judged(ask(embedded, path, origin=origin, **embedded.admin)) == 403
    preflight = {"access-control-request-method": "GET", "access-control-request-headers": "authorization"}
    assert judged(ask(embedded, method="OPTIONS", origin=origin, **preflight)) == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3456", "127.0.0.1.evil.example", "localhost.evil.example"]
)
def test_a_rebound_host(embedded: RunningProxy, host: str) -> None:
    for path in (OVERVIEW, "/ui", "/ui/index.html", "/admin/nothing"):
        assert judged(ask(embedded, path, host=host, **embedded.admin)) == 403


def test_a_browser_that_another_site_made_ask(embedded: RunningProxy) -> None:
    for site, status in {"cross-site": 403, "same-site": 403, "same-origin": 200, "none": 200}.items():
        assert judged(ask(embedded, sec_fetch_site=site, **embedded.admin)) == status


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_only_json_is_read(embedded: RunningProxy, kind: str) -> None:
    headers = {**embedded.admin, "content-type": kind}
    answer = httpx.post(embedded.url + OVERVIEW, content=b"{}", headers=headers)
    assert judged(answer) == 415


def test_other_methods_with_the_token(embedded: RunningProxy) -> None:
    for method in ("POST", "PUT", "DELETE"):
        answer = httpx.request(method, embedded.url + OVERVIEW, json={}, headers=embedded.admin)
        assert (judged(answer), set(answer.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})


def test_what_is_not_there_with_the_token(embedded: RunningProxy) -> None:
    for path in ("/admin", "/admin/", "/admin/overview/", "/admin//overview", "/admin/nothing"):
        assert judged(ask(embedded, path, **embedded.admin)) == 404


def test_a_body_over_the_limit_is_not_read(embedded: RunningProxy) -> None:
    def parts() -> object:
        yield from [b"x" * 65536] * 600

    headers = {**embedded.admin, "content-type": "application/json"}
    declared = httpx.post(embedded.url + OVERVIEW, content=b"x" * (32 * 1024 * 1024 + 1), headers=headers)
    assert judged(declared) == 413
    assert judged(httpx.post(embedded.url + OVERVIEW, content=parts(), headers=headers)) == 413  # type: ignore[arg-type]
