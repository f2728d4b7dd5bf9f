import subprocess
from pathlib import Path

import pytest

from bench import children
from bench.children import Cores
from bench.compare import peers
from bench.compare.peers import PEERS, Package
from bench.compare.target import SAME, TRANSLATED, Place
from prove import cage


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.target)
def test_a_peer_listens_on_loopback_and_asks_the_mock(peer: peers.Peer, tmp_path: Path) -> None:
    place = Place(tmp_path, 4711, Cores(0, 0))
    words = peer.command(peer.package.folder, place, 4712)
    written = [file.read_text() for file in tmp_path.rglob("*") if file.is_file()]
    said = " ".join([*words, *written, *(header for one in peer.speeches.values() for header in one.headers)])
    assert "4712" in said
    assert "4711" in said or "{upstream}" in said
    assert "0.0.0.0" not in said  # noqa: S104 - that is the point
    assert words[0].startswith(str(peer.package.folder)) or words[1].startswith(str(peer.package.folder))


def test_who_translates_has_another_model_for_it() -> None:
    for peer in PEERS:
        models = {way: speech.model for way, speech in peer.speeches.items()}
        assert models[SAME] == "claude-sonnet-4-5"
        assert models.get(TRANSLATED) != models[SAME]


def test_versions_are_pinned_and_have_folders_of_their_own() -> None:
    assert len({peer.package.folder for peer in PEERS}) == len(PEERS)
    package = Package("@scope/name", "1.2.3", "npm")
    assert package.folder == peers.FOLDER / "name-1.2.3"
    assert Package("name[extra]", "1.2.3", "pip").folder == package.folder


def test_those_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    assert peers.missing() == [peer.target for peer in PEERS]
    done = PEERS[1].package.folder / "done"
    done.parent.mkdir(parents=True)
    done.touch()
    assert [target.name for target in peers.targets()] == [PEERS[1].target]
    assert peers.missing() == [peer.target for peer in PEERS if peer != PEERS[1]]


def test_there_is_nothing_but_loopback_in_a_network_of_its_own(tmp_path: Path) -> None:
    if not cage.unshare():
        pytest.skip("SKIPPED: no network namespace can be made here (unshare -n -m); run it as root")
    code = (
        "from bench.compare import network\n"
        "network._UP = 'ip link set lo up && cat /proc/net/dev'\n"
        "network.isolate([])\n"
    )
    env = children.environment(tmp_path) | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run(children.python("-c", code), env=env, capture_output=True, text=True, timeout=30, check=True)
    devices = [line.split(":")[0].strip() for line in done.stdout.splitlines() if ":" in line]
    assert devices == ["lo"]
