"""What the configuration says of Redis and of where things are kept."""

from pathlib import Path

import pytest

from core.config_file import parse
from core.errors import ConfigError
from core.schema import Settings

GOOD = """\
[providers.anthropic]
api_key = { env = "ANTHROPIC_API_KEY" }
[routing]
default = "anthropic,claude-sonnet-4-6"
"""
SERVER = "redis://127.0.0.1:6379/0"


def settings(text: str) -> Settings:
    return parse(GOOD + text, Path("/etc/c.toml"))


def problem(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        settings(text)
    [found] = caught.value.problems
    return str(found)


@pytest.mark.parametrize("url", ["redis://h", "redis://h:1/2", "rediss://127.0.0.1:6380/0", "redis://[::1]:6379/"])
def test_urls_of_a_server(url: str) -> None:
    assert settings(f'[redis]\nurl = "{url}"').redis.url == url


@pytest.mark.parametrize(
    "url",
    ["h:6379", "http://h", "redis://", "redis://h/name", "redis://h:0", "redis://h:99999", "redis://h/0?db=1",
     "redis://h/0#1", "unix:///run/redis.sock"],
)  # fmt: skip
def test_what_is_no_url_of_a_server(url: str) -> None:
    assert problem(f'[redis]\nurl = "{url}"').startswith("/etc/c.toml:6: redis.url: ")


@pytest.mark.parametrize("user", ["me:canary@", ":canary@", "canary@"])
@pytest.mark.parametrize("setting", ["[redis]\nurl", "[sessions]\nstore"])
def test_a_password_in_a_url_is_refused_and_not_repeated(user: str, setting: str) -> None:
    said = problem(f'{setting} = "redis://{user}h:6379"')
    assert "write redis.password = " in said
    assert "canary" not in said


@pytest.mark.parametrize("table", ["sessions", "limits", "cache", "resilience"])
def test_a_store_may_be_the_servers_url(table: str) -> None:
    found = settings(f'[{table}]\nstore = "{SERVER}"')
    assert (found.redis.url, found.kept_in("redis")) == (SERVER, (table,))
    assert settings(f'[{table}]\nstore = "{SERVER}"\n[redis]\nurl = "{SERVER}"\nprefix = "p"').redis.prefix == "p"


def test_there_is_one_server() -> None:
    said = problem(f'[sessions]\nstore = "redis://other"\n[redis]\nurl = "{SERVER}"')
    assert "sessions.store is another server than redis.url" in said
    assert "sessions.store is another server" in problem(
        f'[sessions]\nstore = "{SERVER}"\n[limits]\nstore = "redis://other"'
    )


def test_a_store_in_redis_needs_a_server() -> None:
    assert problem('[limits]\nstore = "redis"').startswith("/etc/c.toml:6: limits.store: needs redis.url")
    assert settings(f'[limits]\nstore = "redis"\n[redis]\nurl = "{SERVER}"').kept_in("redis") == ("limits",)


@pytest.mark.parametrize("store", ["disk", "http://h"])
def test_what_is_no_store(store: str) -> None:
    assert 'a store is "memory", "redis" (or its URL)' in problem(f'[cache]\nstore = "{store}"')


def test_what_is_not_kept_in_memory_is_shared_once_there_is_a_server() -> None:
    assert settings("").shared == ()
    everything = ("resilience", "limits", "sessions", "cache")
    assert settings(f'[redis]\nurl = "{SERVER}"').shared == everything
    assert settings(f'[redis]\nurl = "{SERVER}"\n[limits]\nstore = "memory"').shared == (
        "resilience", "sessions", "cache",
    )  # fmt: skip


def test_tables_that_are_none_are_the_schemas_to_refuse() -> None:
    with pytest.raises(ConfigError, match=r"redis: |sessions: "):
        parse(f'sessions = 1\nredis = "x"\n{GOOD}', Path("/etc/c.toml"))
    with pytest.raises(ConfigError, match="redis: "):
        parse(f'redis = "x"\n{GOOD}[sessions]\nstore = "{SERVER}"', Path("/etc/c.toml"))
