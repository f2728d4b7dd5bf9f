from pathlib import Path

import httpx
import pytest
from configs import HERE
from proxy import RunningProxy, running
from scraped import number as number_of

from core.admin_door import WRONG


def elsewhere(address: str = "127.0.0.2") -> httpx.Client:
    """Asks from an address that is not the proxy's own."""
    return httpx.Client(transport=httpx.HTTPTransport(local_address=address))


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_metrics_from_elsewhere_take_the_admin_token(embedded: RunningProxy) -> None:
    assert httpx.get(f"{embedded.url}/metrics").status_code == 200
    with elsewhere() as client:
        assert client.get(f"{embedded.url}/metrics").status_code == 401
        assert client.get(f"{embedded.url}/metrics", headers=bearer("wrong")).status_code == 401
        assert client.get(f"{embedded.url}/metrics", headers=embedded.admin).status_code == 200


def test_who_guesses_the_token_there_must_wait_as_at_the_admin_plane(embedded: RunningProxy) -> None:
    with elsewhere("127.0.0.3") as client:
        for number in range(WRONG):
            assert client.get(f"{embedded.url}/metrics", headers=bearer(f"guess-{number}")).status_code == 401
        for path in ("/metrics", "/admin/overview"):
            answer = client.get(embedded.url + path, headers=embedded.admin)
            assert (answer.status_code, "retry-after" in answer.headers) == (429, True)
    assert (
        number_of(httpx.get(f"{embedded.url}/metrics").content, "terraphim_refused_total", reason="admin_guesses") == 2
    )


def test_a_client_s_key_is_no_guess(clean_env: dict[str, str], tmp_path: Path) -> None:
    for name in ("plugins", "taxonomy"):
        (tmp_path / name).mkdir()
    (tmp_path / "c.toml").write_text(f'[server]\nkeys = [{{ name = "ci", key = {{ env = "CI" }} }}]\n{HERE}')
    key = "client-key-0123456789abcdef"
    with running({**clean_env, "CI": key}, "--config", str(tmp_path / "c.toml")) as proxy, elsewhere() as client:
        for _ in range(WRONG + 1):
            assert client.get(f"{proxy.url}/metrics", headers=bearer(key)).status_code == 200
            assert client.get(f"{proxy.url}/metrics", headers={"x-api-key": key}).status_code == 200
        assert client.get(f"{proxy.url}/metrics", headers={"x-api-key": "another"}).status_code == 401
        assert client.get(f"{proxy.url}/metrics", headers=proxy.admin).status_code == 200


@pytest.mark.parametrize("passed_on", [{"x-forwarded-for": "203.0.113.9"}, {"forwarded": "for=203.0.113.9"}])
def test_what_a_proxy_on_this_machine_passes_on_is_not_of_this_machine(
    embedded: RunningProxy, passed_on: dict[str, str]
) -> None:
    assert httpx.get(f"{embedded.url}/metrics", headers=passed_on).status_code == 401
    assert httpx.get(f"{embedded.url}/metrics", headers=passed_on | embedded.admin).status_code == 200


def test_no_description_of_the_routes_is_served(embedded: RunningProxy) -> None:
    for path in ("/openapi.json", "/docs", "/redoc"):
        assert httpx.get(embedded.url + path).status_code == 404
