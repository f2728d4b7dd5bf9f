"""The provider that misbehaves does so, and the oracle sees it: straight, without a proxy between them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from prove import chain, faultd, rig, truth
from prove.faultd_table import ENDLESS, FAULTS, Directive, May, Where, read_directive
from prove.oracle import Case, Kind, judge
from prove.oracle_http import Connection, End, Reply
from prove.oracle_reading import CLIENTS
from prove.section import Section

#: Shown by the proof itself: these take long, or need a real client's clocks.
LONG = {"line_100mb", "header_flood", "interim_flood", "gzip_bomb"}
SILENT = {"hang_head", "drip_head", "hang_mid", "keepalive_stall", "drip_body"}
MAIN = [name for name, fault in FAULTS.items() if fault.port in ("main", "stale") and name not in LONG]
FORMS = [
    (name, client.name, streamed)
    for name in MAIN
    for client, upstream, streamed in rig.forms(name)
    if client.name == upstream
]


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    with rig.faultd(tmp_path_factory.mktemp("faultd")) as (_, ports):
        yield ports


def straight(port: int, fault: str, dialect: str, seed: int, *, streamed: bool) -> tuple[Case, Reply]:
    """One exchange with the provider itself. Its cookie, which no proxy may pass on, is left out."""
    [client] = [each for each in CLIENTS if each.name == dialect]
    asking = rig.Asking(seed)
    ask = asking.one(fault, client, dialect, streamed=streamed)

    async def once() -> Reply:
        connection = await Connection.open(port)
        try:
            return await connection.ask(ask.data, 0.3 if fault in SILENT else 10)
        finally:
            connection.leave()

    reply = asyncio.run(once())
    return ask.case, reply._replace(headers=[each for each in reply.headers if each[0] != "set-cookie"])


@pytest.mark.parametrize(("fault", "dialect", "streamed"), FORMS)
def test_a_fault_is_no_complete_answer(ports: dict[str, int], fault: str, dialect: str, streamed: bool) -> None:
    case, reply = straight(ports[FAULTS[fault].port], fault, dialect, 7, streamed=streamed)
    verdict = judge(case, reply)
    may = FAULTS[fault].may
    if may is May.ERROR:
        assert verdict.kind is not Kind.COMPLETE, (verdict, reply)
    elif FAULTS[fault].where is Where.NOWHERE and fault != "interim":  # which the strict reader does not know
        assert verdict.kind is Kind.COMPLETE, (verdict, reply)
    if fault in SILENT:
        assert "hangs" in verdict.why


def test_odd_syntax_says_the_same(ports: dict[str, int]) -> None:
    for seed in range(20):
        assert judge(*straight(ports["main"], "odd_sse", "openai", seed, streamed=True)).kind is Kind.COMPLETE


def test_every_fault_can_be_played() -> None:
    assert set(faultd.PLAYS) == ENDLESS.keys() | {
        name for name, fault in FAULTS.items() if fault.port in ("main", "stale")
    }
    assert {fault.port for fault in FAULTS.values()} == set(rig.PORTS)
    assert len(MAIN) + len(LONG) + 4 == len(FAULTS)


def test_a_directive_is_read_from_anywhere() -> None:
    one = Directive("reset", 7, "0123456789ab")
    assert read_directive(f'{{"a":"x [[fault none 1 000000000000]] {one}"}}'.encode()) == one
    assert read_directive(b"[[fault nothing_known 1 0123456789ab]]") is None


def test_links_belong_to_one_request() -> None:
    one, other = (chain.content(chain.SHAPES["tools"], nonce) for nonce in ("0" * 12, "1" * 12))
    assert len(one.text) == 2 * chain.LINK
    assert not set(one) & set(other) - {""}
    assert chain.links("0" * 12, "t", 5).startswith(chain.links("0" * 12, "t", 4))
    assert chain.shape_of("", 5) == chain.shape_of("", 5)


def test_the_provider_tells_who_left(tmp_path: Path) -> None:
    with rig.faultd(tmp_path) as (_, ports):
        case, _ = straight(ports["main"], "hang_head", "anthropic", 1, streamed=True)
        fake = rig.Rig(tmp_path, None, ports, None)  # type: ignore[arg-type]  # only faultd is asked
        seen = fake.seen()[case.nonce]
        assert (seen.asked, seen.lost > seen.begun > 0) == (1, True)
        assert fake.control() == {"seen": {}, "trapped": 0, "open": 0}


def test_requests_are_the_same_each_time() -> None:
    assert truth.plan(100) == truth.plan(100)
    assert {ask.fault for ask in truth.plan(len(FAULTS))} == set(FAULTS)


def test_what_is_wrong_is_told(tmp_path: Path) -> None:
    table, section = truth.Table(), Section("")
    ask = rig.Asking(1).any(("reset",))
    reply = Reply(0, [], b"", End.HANG)
    table.add(ask, reply, judge(ask.case, reply))
    table.into(section)
    assert section.counts["reset"] == "VIOLATION 1"
    assert section.number == "1 violations, 1 hangs in 1 requests"
    assert len(section.findings) == len(FAULTS)


def test_a_real_proxy_between_them(tmp_path: Path) -> None:
    """A few faults of each kind; all of them are `python -m prove --only truth`."""
    names = ("good_text", "good_tools", "refused", "redirect", "key_echo", "chunked_fin", "clean_end", "error_event")
    asking, table = rig.Asking(1), truth.Table()
    with rig.rig(tmp_path / "rig") as running:
        asks = [asking.one(name, *form[:2], streamed=form[2]) for name in names for form in rig.forms(name)]
        asyncio.run(truth.exchange(running.proxy.port, asks, table))
        assert list(running.after()) == []
    assert (dict(table.wrong), table.hangs, table.total) == ({}, 0, len(asks))
