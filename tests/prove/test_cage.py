"""The proof of addresses: that it counts what connects, and sees a broken promise."""

import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from core.addresses import forbidden
from prove import addresses, cage
from prove.cage import opened, question, reply
from prove.spellings import FORBIDDEN_V4, PUBLIC, spellings


def seen(**changed: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {"tried": 500, "connected": 0, "expected": None, "wrong": []}
    control: dict[str, Any] = {"tried": 500, "connected": 300, "expected": 250, "wrong": []}
    ways = {"control": control, "literal": nothing, "literal, IPv6": nothing, "by name": nothing}
    return {way: {**what, **changed.get(way, {})} for way, what in ways.items()}


def test_nothing_that_connects_is_a_promise_kept() -> None:
    section = addresses.judged("title", seen(), 1)
    assert section.findings == []
    assert section.number == "0 connections in 1500 attempts to reach a forbidden address"


@pytest.mark.parametrize(
    ("changed", "finding"),
    [
        ({"by name": {"connected": 1, "wrong": ["dns1 reached 10.0.0.1"]}}, "by name: dns1 reached 10.0.0.1"),
        ({"literal": {"connected": 2}}, "literal: 2 connections to forbidden addresses"),
        ({"control": {"connected": 249}}, "only 249 of at least 250"),
        ({"literal": {"tried": 10}, "literal, IPv6": {"tried": 10}}, "only 20 spellings of 400"),
    ],
)
def test_a_connection_and_silence_break_it(changed: dict[str, Any], finding: str) -> None:
    assert any(finding in one for one in addresses.judged("title", seen(**changed), 1).findings)


def test_there_are_enough_spellings_of_what_is_forbidden() -> None:
    every = spellings()
    assert len({one.host for one in every}) == len(every) > 2 * addresses.LEAST
    assert {one.address for one in every} >= set(FORBIDDEN_V4)
    for one in every:
        assert forbidden(one.address, allow_private=False)
        if one.numeric:
            assert forbidden(one.host.strip("[]"), allow_private=False)
    assert not any(forbidden(address, allow_private=False) for address in PUBLIC)


def packet(to: str, flags: int) -> bytes:
    tcp = struct.pack("!HHLLBBHHH", 1000, 443, 0, 0, 0x50, flags, 0, 0, 0)
    if ":" in to:
        return b"\x60" + bytes(5) + b"\x06\x40" + bytes(16) + socket.inet_pton(socket.AF_INET6, to) + tcp
    return b"\x45" + bytes(8) + b"\x06" + bytes(6) + socket.inet_aton(to) + tcp


@pytest.mark.parametrize("to", ["10.0.0.1", "64:ff9b::a9fe:a9fe"])
def test_a_connection_is_known_by_its_first_packet(to: str) -> None:
    assert opened(packet(to, 0x02)) == (to, 443)
    assert opened(packet(to, 0x12)) is None
    assert opened(packet(to, 0x10)) is None


def test_a_name_server_says_what_it_is_told() -> None:
    query = b"\x12\x34" + struct.pack("!HHHHH", 0x100, 1, 0, 0, 1) + b"\x02Ab\x04test\x00" + b"\x00\x01\x00\x01extra"
    name, kind, end = question(query)
    assert (name, kind) == ("ab.test", 1)
    said = reply(query, end, [b"\x0a\x00\x00\x01"])
    assert said.startswith(b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x02Ab\x04test\x00")
    assert said.endswith(struct.pack("!HHIH", 1, 1, 0, 4) + b"\x0a\x00\x00\x01")


def test_without_a_namespace_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cage, "unshare", list)
    section = addresses.section(tmp_path / "a", 1)
    assert section.verdict == "SKIPPED"
    assert "namespace" in section.skipped


def test_some_spellings(tmp_path: Path) -> None:
    section = addresses.section(tmp_path / "a", 40)
    if section.skipped:
        pytest.skip(section.skipped)
    assert section.findings == []
    assert section.counts["rebinding"].endswith(" 0 connected")
