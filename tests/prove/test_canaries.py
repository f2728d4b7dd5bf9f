"""That the search sees a key in each encoding, whole or cut, and that the proof tells what it sees."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from urllib.parse import quote

import msgspec
import pytest

from prove import canaries, truth
from prove.canaries import CANARIES, CLIENTS, MODEL, Ground, keyed
from prove.canary_requests import PATHS, bugs, misplaced
from prove.canary_search import RUN, Search, forms
from prove.section import Section

KEY = "sk-AbCdEf0123456789/+xyz"
SEARCH = Search({"mine": KEY})


@pytest.mark.parametrize(
    ("how", "written"),
    [
        ("as it is", KEY.encode()),
        ("in a log line", b'{"event":"request","model":"' + KEY.encode() + b'"}'),
        ("in small letters", KEY.lower().encode()),
        ("reversed", KEY[::-1].encode()),
        ("hex", KEY.encode().hex().encode()),
        ("HEX", KEY.encode().hex().upper().encode()),
        ("hex with colons", KEY.encode().hex(":").encode()),
        *((f"base64 at {at}", base64.b64encode(b"x" * at + KEY.encode() + b"yz")) for at in range(7)),
        *((f"base64 for URLs at {at}", base64.urlsafe_b64encode(b"x" * at + KEY.encode())) for at in range(7)),
        ("basic authorization", b"Basic " + base64.b64encode(f"user:{KEY}".encode())),
        ("quoted", quote(KEY, safe="").encode()),
        ("percent", "".join(f"%{ord(char):02X}" for char in KEY).encode()),
        ("JSON, escaped", "".join(f"\\u{ord(char):04x}" for char in KEY).encode()),
        ("JSON, slashes escaped", json.dumps(KEY).replace("/", "\\/").encode()),
        ("a list of bytes", str(list(KEY.encode())).encode()),
        ("JSON of bytes", msgspec.json.encode(list(KEY.encode()))),
        ("hex escapes", "".join(f"\\x{ord(char):02x}" for char in KEY).encode()),
        ("HTML", "".join(f"&#{ord(char)};" for char in KEY).encode()),
        ("HTML in hex", "".join(f"&#x{ord(char):X};" for char in KEY).encode()),
        ("UTF-16", KEY.encode("utf-16")),
        ("UTF-16 BE", KEY.encode("utf-16-be")),
        ("UTF-32", KEY.encode("utf-32")),
        ("its first half", KEY[:RUN].encode()),
        ("its last half, in hex", KEY[-RUN:].encode().hex().encode()),
        ("from its middle, in base64", base64.b64encode(KEY[5 : 5 + RUN].encode())),
        ("behind what is no text", b"\xff\x00\xfe" + KEY.encode() + b"\xff"),
    ],
)
def test_a_key_is_seen(how: str, written: bytes) -> None:
    assert [told.startswith("it holds mine (") for told in SEARCH.told("it", written)] == [True], how


@pytest.mark.parametrize("data", [b"", b"sk-", KEY[: RUN - 1].encode(), b"x" * 10_000, "ключ".encode()])
def test_nothing_else_is_taken_for_one(data: bytes) -> None:
    assert SEARCH.hits(data) == set()


def test_each_encoding_is_one_of_its_own() -> None:
    names = [name for name, _ in forms("Ab/+0123456_")]
    assert len(names) == len(set(names)) == 22
    assert len({text for _, text in forms("/?>~~~???>>>")}) == 22


def test_canaries_differ_and_hold_what_encodings_change() -> None:
    assert len(set(CANARIES.values())) == len(CANARIES)
    assert {"/" in canary for canary in CANARIES.values()} == {True, False}
    search = Search(CANARIES)
    for name, canary in CANARIES.items():
        assert {found for found, _ in search.hits(canary.encode())} == {name}


def test_keys_go_into_every_part_of_a_request() -> None:
    asked = [*misplaced("a-secret/in+a-place", "the-key", MODEL)]
    assert {path for path in PATHS if any(one.startswith(f"POST {path} ".encode()) for one in asked)} == set(PATHS)
    assert len(asked) == len(set(asked)) > 200
    assert {one.partition(b"[[bug ")[2].partition(b"]]")[0] for one in bugs("s", "k", MODEL)} == {
        b"counting", b"asking", b"thread", b"task",
    }  # fmt: skip


def test_every_client_key_is_sent_in_both_headers() -> None:
    asks = keyed(truth.plan(100))
    for secret in CLIENTS.values():
        assert any(f"\r\nx-api-key: {secret}\r\n".encode() in ask.data for ask in asks)
        assert any(f"\r\nauthorization: Bearer {secret}\r\n".encode() in ask.data for ask in asks)
    assert all(ask.data.count(b"\r\n\r\n") >= 1 for ask in asks)


class _Echo(StreamRequestHandler):
    """Says in base64 what it was asked, as a careless server may in a header."""

    def handle(self) -> None:
        asked = self.connection.recv(65536)
        self.wfile.write(b"HTTP/1.1 200 OK\r\nx-asked: " + base64.b64encode(asked) + b"\r\n\r\n")


@contextmanager
def echoing() -> Iterator[int]:
    """The port of a server that echoes."""
    with ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_what_an_answer_says_is_told() -> None:
    section = Section("it")
    with echoing() as port:
        told = canaries._places(section, port, Search(CANARIES), 80)
    assert told
    assert all("base64" in one for one in told)
    assert not any(canary in one for one in told for canary in CANARIES.values())  # nor does the proof say one


def test_what_is_on_disk_is_told_with_its_name(tmp_path: Path) -> None:
    ground, search = Ground(tmp_path / "ground"), Search(CANARIES)
    (ground.folder / "home").mkdir()
    (ground.folder / "home" / "log").write_text("")
    assert not any(" holds " in one for one in canaries._left(ground, search))
    assert any("so this shows nothing" in one for one in canaries._left(ground, search))
    (ground.folder / "home" / "core.1234").write_bytes(b"\0" * 100 + CANARIES["Redis"].encode("utf-16-le"))
    told = canaries._left(ground, search)
    assert "the file home/core.1234 holds Redis (UTF-16 BE, UTF-16 LE)" in told
    assert canaries._seen(ground) == []
