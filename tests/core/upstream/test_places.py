"""Where a URL leads, and what is written of it."""

import pytest

from core.errors import UpstreamFailed
from core.upstream.places import known_place, place


@pytest.mark.parametrize(
    ("url", "origin", "target", "host"),
    [
        ("https://a.example", ("a.example", 443, True), "/", "a.example"),
        ("http://a.example:8080/v1", ("a.example", 8080, False), "/v1", "a.example:8080"),
        ("https://A.Example:443/V1", ("a.example", 443, True), "/V1", "a.example"),
        ("http://[::1]:9/x?a=b", ("::1", 9, False), "/x?a=b", "[::1]:9"),
        ("https://bücher.example/ä b?c=ü", ("xn--bcher-kva.example", 443, True), "/%C3%A4%20b?c=%C3%BC",
         "xn--bcher-kva.example"),
        ("https://a.example/models/x%2Fy:go?alt=sse#z", ("a.example", 443, True), "/models/x%2Fy:go?alt=sse",
         "a.example"),
    ],
)  # fmt: skip
def test_a_url_is_a_host_and_a_target(url: str, origin: tuple[str, int, bool], target: str, host: str) -> None:
    for found in (place(url), known_place(url)):
        assert (found.origin, found.target, found.host) == (origin, target, host)


@pytest.mark.parametrize("url", ["", "/v1", "ftp://a.example", "https:///x", "http://a.example:x", "http://a\r\n.b"])
def test_what_leads_nowhere_is_told_before_anything_is_sent(url: str) -> None:
    with pytest.raises(UpstreamFailed) as failed:
        place(url)
    assert (failed.value.status, failed.value.stage) == (502, "not_sent")
