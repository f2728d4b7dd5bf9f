import pytest

from core.edge import ClientKeys, allowed_hosts, check_host, check_json, headers_of, is_here
from core.errors import Forbidden, Unauthorized, UnsupportedMediaType
from core.schema import ServerKey
from core.sections import SecretRef

HOSTS = allowed_hosts("127.0.0.1", ("Proxy.Example",))


@pytest.mark.parametrize("host", ["127.0.0.1:3456", "localhost", "[::1]:3456", "proxy.example:80", "LOCALHOST:1"])
def test_our_own_names_are_served(host: str) -> None:
    check_host({"host": host}, HOSTS)


@pytest.mark.parametrize("host", ["", "evil.example", "127.0.0.1.evil.example", "evil.example:3456", "127.0.0.1@evil"])
def test_a_foreign_host_is_refused(host: str) -> None:
    with pytest.raises(Forbidden):
        check_host({"host": host}, HOSTS)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://localhost.evil.example", "http://["])
def test_a_foreign_origin_is_refused(origin: str) -> None:
    with pytest.raises(Forbidden):
        check_host({"host": "localhost", "origin": origin}, HOSTS)


def test_our_own_origin_is_served() -> None:
    check_host({"host": "localhost:3456", "origin": "http://localhost:3456"}, HOSTS)


def test_a_second_host_or_key_is_refused_rather_than_believed() -> None:
    twice = headers_of(
        [(b"host", b"localhost"), (b"host", b"evil.example"), (b"x-api-key", b"a"), (b"x-api-key", b"b")]
    )
    assert twice == {"host": "localhost, evil.example", "x-api-key": "a, b"}
    with pytest.raises(Forbidden):
        check_host(twice, HOSTS)


@pytest.mark.parametrize("passed_on", ["x-forwarded-for", "forwarded"])
def test_who_passes_a_request_on_does_not_ask_from_here(passed_on: str) -> None:
    assert is_here("127.0.0.1", {"host": "localhost"})
    assert is_here("::1", {})
    assert not is_here("127.0.0.1", {passed_on: "127.0.0.1"})
    assert not any(is_here(peer, {}) for peer in ("127.0.0.2", "10.0.0.1", ""))


@pytest.mark.parametrize("declared", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_is_read(declared: str) -> None:
    check_json({"content-type": declared})


@pytest.mark.parametrize("declared", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_what_a_form_can_send_is_not_read(declared: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        check_json({"content-type": declared})


def test_compressed_bodies_are_refused_with_the_reason() -> None:
    with pytest.raises(UnsupportedMediaType, match="compressed"):
        check_json({"content-type": "application/json", "content-encoding": "gzip"})


def keys_of(**names: str) -> ClientKeys:
    """Client keys: secret to name."""
    entries = [ServerKey(name=name, key=SecretRef(env="X")) for name in dict.fromkeys(names.values())]
    return ClientKeys(names, entries)


def name_of(keys: ClientKeys, headers: dict[str, str]) -> str:
    key = keys.key_of(headers)
    assert key is not None
    return key.name


def test_keys_by_either_header() -> None:
    keys = keys_of(s3cret="laptop", other="ci", new="ci")
    assert name_of(keys, {"x-api-key": "s3cret"}) == "laptop"
    assert name_of(keys, {"authorization": "Bearer other"}) == "ci"
    assert name_of(keys, {"authorization": "bearer new"}) == "ci"


def test_a_providers_key_beside_ours_does_not_hide_it() -> None:
    keys = keys_of(s3cret="laptop")
    assert name_of(keys, {"x-api-key": "sk-of-the-user", "authorization": "Bearer s3cret"}) == "laptop"


def test_a_key_may_be_any_text_on_the_wire() -> None:
    on_the_wire = "ключ".encode().decode("latin-1")
    assert name_of(keys_of(ключ="laptop"), {"x-api-key": on_the_wire}) == "laptop"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": "wrong"},
        {"x-api-key": "s3cre"},
        {"x-api-key": "s3cret, s3cret"},
        {"authorization": "Basic s3cret"},
        {"authorization": "s3cret"},
        {"x-api-key": "é\udcff"},
    ],
)
def test_a_missing_or_wrong_key_is_refused_without_being_repeated(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthorized) as caught:
        keys_of(s3cret="laptop").key_of(headers)
    assert "s3cre" not in caught.value.message
    assert "wrong" not in caught.value.message
    assert caught.value.headers == {"x-should-retry": "false"}


def test_without_configured_keys_any_client_is_served() -> None:
    assert keys_of().key_of({"x-api-key": "anything"}) is None
