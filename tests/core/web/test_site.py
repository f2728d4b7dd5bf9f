import httpx
import pytest
from proxy import RunningProxy


@pytest.fixture
def elsewhere() -> httpx.HTTPTransport:
    """Asks from an address that is not the proxy's own."""
    return httpx.HTTPTransport(local_address="127.0.0.2")


def test_metrics_from_elsewhere_take_the_admin_token(embedded: RunningProxy, elsewhere: httpx.HTTPTransport) -> None:
    assert httpx.get(f"{embedded.url}/metrics").status_code == 200
    with httpx.Client(transport=elsewhere) as client:
        assert client.get(f"{embedded.url}/metrics").status_code == 401
        assert client.get(f"{embedded.url}/metrics", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get(f"{embedded.url}/metrics", headers=embedded.admin).status_code == 200


def test_no_description_of_the_routes_is_served(embedded: RunningProxy) -> None:
    for path in ("/openapi.json", "/docs", "/redoc"):
        assert httpx.get(embedded.url + path).status_code == 404
