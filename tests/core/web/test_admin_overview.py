import httpx
from proxy import RunningProxy

import core


def test_what_serves(embedded: RunningProxy) -> None:
    shown = httpx.get(f"{embedded.url}/admin/overview", headers=embedded.admin).json()
    health = httpx.get(f"{embedded.url}/health").json()
    assert shown["version"] == core.__version__
    assert shown["snapshot"] == health["snapshot"]
    assert shown["simulated"] is True
    assert shown["order"] == ["runtime", "custom", "pattern", "default"]
    assert f"http://{shown['address']}" == embedded.url
    assert shown["problems"] == []
    assert shown["last_reload"]["outcome"] == "started"
    assert shown["started_ms"] <= shown["snapshot_at_ms"] <= shown["now_ms"]
    assert set(shown["hardening"]) >= {"proxy_memory"}
