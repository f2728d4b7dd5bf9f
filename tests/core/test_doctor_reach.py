import pytest
from proxy import RunningProxy

from core import doctor_reach
from core.cli_proxy import NoProxyError, parse
from core.doctor_reach import SKEW_S, proxy, skew


def test_a_proxy_of_ours(embedded: RunningProxy) -> None:
    found = list(proxy(parse(embedded.url)))
    assert [each.name for each in found if not each.ok] == []
    assert "SIMULATED" in next(each for each in found if each.name == "answers").state


def test_another_version_and_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"version": "9\x1b[0m", "snapshot": "a", "status": "stopping", "restart": ["server.port"], "problems": 2}
    monkeypatch.setattr(doctor_reach, "health", lambda _: told)
    found = {each.name: each for each in proxy(parse("http://127.0.0.1:1"))}
    assert [name for name, each in found.items() if not each.ok] == ["version", "problems"]
    assert found["version"].state.isprintable()
    assert "--replace" in found["version"].hint
    assert "server.port" in found["restart"].state


def test_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: object) -> None:
        raise NoProxyError("what answers there is no proxy of ours")

    monkeypatch.setattr(doctor_reach, "health", refused)
    [found] = proxy(parse("http://127.0.0.1:1"))
    assert (found.ok, "another port" in found.hint) == (False, True)


def test_clocks_that_differ() -> None:
    assert skew(1000.0, [1000.0, 1.0, 1001.0]).ok
    assert not skew(1000.0 + 2 * SKEW_S, [1000.0]).ok
    assert "behind" in skew(1000.0, [2000.0, 2000.0, 0.0]).state
