import pytest

from core.request_head import SOUND, fault, forbidden_trailer, framing

HOST = (b"host", b"localhost:3456")


@pytest.mark.parametrize(
    ("version", "method", "target", "headers"),
    [
        ("1.1", b"POST", b"/v1/messages?beta=true", [HOST]),
        ("1.1", b"POST", b"/v1/models/a%2Fb,c:d@e", [HOST]),
        ("1.1", b"POST", b"/", [HOST, (b"transfer-encoding", b"Chunked"), (b"expect", b"100-Continue")]),
        ("1.1", b"GET", b"/", [(b"host", b"[::1]:3456")]),
        ("1.1", b"GET", b"/", [(b"host", b"a_b.example:")]),
        ("1.1", b"OPTIONS", b"*", [HOST]),
        ("1.1", b"GET", b"HTTP://LocalHost:3456/health", [HOST]),
        ("1.1", b"GET", b"http://localhost:3456", [HOST]),
        ("1.0", b"GET", b"/", []),
    ],
)
def test_what_can_be_read_in_one_way_only(
    version: str, method: bytes, target: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    assert fault(version, method, target, headers) == SOUND


@pytest.mark.parametrize(
    ("version", "target", "headers", "said"),
    [
        ("0.9", b"/", [HOST], "HTTP/0.9"),
        ("2.0", b"/", [HOST], "HTTP/2.0"),
        ("1.1", b"/", [], "one Host"),
        ("1.1", b"/", [HOST, HOST], "one Host"),
        ("1.0", b"/", [HOST, HOST], "one Host"),
        ("1.1", b"/", [(b"host", b"")], "Host is"),
        ("1.1", b"/", [(b"host", b"a@localhost")], "Host is"),
        ("1.1", b"/", [(b"host", b"localhost, b")], "Host is"),
        ("1.1", b"/", [(b"host", b"localhost/b")], "Host is"),
        ("1.1", b"/", [(b"host", b"localhost:b")], "Host is"),
        ("1.1", b"/", [(b"host", b"localhost\n")], "Host is"),
        ("1.1", b"*", [HOST], "slash"),
        ("1.1", b"//localhost:3456/", [HOST], "slash"),
        ("1.1", b"/a#b", [HOST], "slash"),
        ("1.1", "/é".encode(), [HOST], "slash"),
        ("1.1", b"ftp://localhost:3456/", [HOST], "slash"),
        ("1.1", b"http://a@localhost:3456/", [HOST], "slash"),
        ("1.1", b"http://localhost/", [HOST], "different servers"),
        ("1.0", b"http://localhost/", [], "different servers"),
        ("1.1", b"/", [HOST, (b"transfer-encoding", b"gzip, chunked")], "only chunked"),
        ("1.1", b"/", [HOST, (b"transfer-encoding", b"")], "only chunked"),
        ("1.1", b"/", [HOST, (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")], "only chunked"),
        ("1.0", b"/", [HOST, (b"transfer-encoding", b"chunked")], "only chunked"),
        ("1.1", b"/", [HOST, (b"expect", b"x")], "100-continue"),
        ("1.1", b"/", [HOST, (b"expect", b"100-continue"), (b"expect", b"100-continue")], "100-continue"),
    ],
)
def test_what_cannot(version: str, target: bytes, headers: list[tuple[bytes, bytes]], said: str) -> None:
    status, message = fault(version, b"GET", target, headers)
    assert status == (417 if "continue" in said else 400)
    assert said in message


@pytest.mark.parametrize(("name", "forbidden"), [(b"Host", True), (b"X-API-Key", True), (b"x-checksum", False)])
def test_trailers(name: bytes, forbidden: bool) -> None:
    assert forbidden_trailer(name) is forbidden


@pytest.mark.parametrize(
    ("headers", "framed"),
    [
        ([HOST], b""),
        ([HOST, (b"content-length", b"000")], b""),
        ([(b"content-length", b"10"), HOST], b"POST / HTTP/1.1\r\nhost: -\r\ncontent-length: 10\r\n\r\n"),
        ([(b"transfer-encoding", b"Chunked")], b"POST / HTTP/1.1\r\nhost: -\r\ntransfer-encoding: Chunked\r\n\r\n"),
    ],
)
def test_what_is_left_of_a_head_says_where_its_body_ends(headers: list[tuple[bytes, bytes]], framed: bytes) -> None:
    assert framing(headers) == framed
