import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.config_file import read
from core.credentials import MOST, Reader, Secrets, files_of
from core.errors import Problem

CONFIG = """\
[server]
host = "127.0.0.1"
[[server.keys]]
name = "laptop"
key = {key}
[[server.keys]]
name = "ci"
keys = [{{ env = "CI_A" }}, {{ env = "CI_B" }}]
[providers.anthropic]
api_key = {{ env = "UP" }}
{more}
[routing]
default = "anthropic,m"
"""
ENV = {"LAPTOP": "a-long-secret-of-laptop", "CI_A": "a-long-secret-of-ci", "CI_B": "b-long-secret-of-ci", "UP": "sk-up"}


def read_from(
    folder: Path, key: str = '{ env = "LAPTOP" }', more: str = "", **env: str
) -> tuple[Reader, Secrets, tuple[Path, ...]]:
    """What is found of this configuration in `folder`."""
    settings, lines = read(CONFIG.format(key=key, more=more), folder / "c.toml")
    reader = Reader({**ENV, **env}, folder, "c.toml", lines)
    return reader, reader.read(settings, {}), files_of(settings, folder)


def problems(reader: Reader) -> list[str]:
    return list(map(str, reader.problems))


@pytest.fixture
def bound() -> Iterator[None]:
    """A read that waits for ever is killed."""
    signal.alarm(10)
    yield
    signal.alarm(0)


def test_several_secrets_of_one_name_and_several_names(tmp_path: Path) -> None:
    reader, secrets, _ = read_from(tmp_path)
    assert secrets.clients == {ENV["LAPTOP"]: "laptop", ENV["CI_A"]: "ci", ENV["CI_B"]: "ci"}
    assert (reader.problems, reader.warnings) == ([], [])


def test_everything_is_said_at_once_with_its_line_and_without_the_secret(tmp_path: Path) -> None:
    reader, _, _ = read_from(tmp_path, LAPTOP=" \t", CI_A="two words and more", CI_B="a\x00b-and-some-more")
    assert problems(reader) == [
        "c.toml:3: server key 'laptop' cannot be used: LAPTOP is empty or not there",
        "c.toml:6: server key 'ci', secret 1 of 2, cannot be used: white space or control characters stand in it",
        "c.toml:6: server key 'ci', secret 2 of 2, cannot be used: white space or control characters stand in it",
    ]


@pytest.mark.parametrize(
    "secret", ["", " ", "\n", "\ufeff\n", "a b", "a\tb", "a\nb", "a\u00a0b", "\0", "\x7fabc", "a\udcff"]
)
def test_what_is_no_secret(tmp_path: Path, secret: str) -> None:
    reader, secrets, _ = read_from(tmp_path, LAPTOP=secret)
    assert len(reader.problems) == 1
    assert "laptop" not in secrets.clients.values()


def test_equal_secrets_are_refused_within_a_name_and_between_names(tmp_path: Path) -> None:
    reader, secrets, _ = read_from(
        tmp_path, LAPTOP="the-same-secret-1", CI_A="the-same-secret-1", CI_B="the-same-secret-1 "
    )
    assert [problem.message for problem in reader.problems] == [
        "server key 'ci', secret 1 of 2, is the same as server key 'laptop'",
        "server key 'ci', secret 2 of 2, is the same as server key 'laptop'",
    ]
    reader, _, _ = read_from(tmp_path, CI_A="the-same-secret-1", CI_B="the-same-secret-1")
    assert [problem.message for problem in reader.problems] == [
        "server key 'ci', secret 2 of 2, is the same as server key 'ci' itself"
    ]
    assert "the-same-secret-1" not in str(problems(reader)) + repr(secrets)


def test_a_short_secret_and_one_that_a_provider_has_are_warnings(tmp_path: Path) -> None:
    reader, secrets, _ = read_from(tmp_path, LAPTOP="15-characters-x", CI_A="16-characters-xy", UP="16-characters-xy")
    assert reader.problems == []
    assert [warning.message for warning in reader.warnings] == [
        "server key 'laptop' has only 15 characters and may be guessed",
        "server key 'ci' is also the key of provider 'anthropic'",
    ]
    assert secrets.clients["15-characters-x"] == "laptop"


FILE = '{ file = "key" }'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "key cannot be read: No such file or directory"),
        (b"", "key is empty"),
        (b"\xef\xbb\xbf \r\n", "key is empty"),
        (b"\xff\xfe", "key cannot be used: it holds no text"),
        (b"x" * (MOST + 1), f"key cannot be used: it is larger than {MOST} bytes"),
    ],
)
def test_files_that_hold_no_secret(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    reader, _, files = read_from(tmp_path, FILE)
    assert [problem.message for problem in reader.problems] == [f"server key 'laptop' cannot be used: {said}"]
    assert reader.awaited == list(files) == [tmp_path / "key"]


def test_what_is_no_file_is_not_waited_for(tmp_path: Path, bound: None) -> None:  # its alarm is
    os.mkfifo(tmp_path / "key")
    (tmp_path / "folder").mkdir()
    for name, said in (
        ("key", "it is no regular file"),
        ("folder", "it is no regular file"),
        ("a\\u0000", "null byte"),
    ):
        reader, _, _ = read_from(tmp_path, f'{{ file = "{name}" }}')
        assert [said in problem.message for problem in reader.problems] == [True]


def test_a_file_that_others_may_read_is_a_warning_and_one_that_they_may_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("a-secret-in-a-file")
    path.chmod(0o600)
    reader, secrets, _ = read_from(tmp_path, FILE)
    assert (reader.problems, reader.warnings) == ([], [])
    path.chmod(0o604)
    reader, _, _ = read_from(tmp_path, FILE)
    assert problems(reader) == []
    assert [f"run: chmod 600 {path}" in str(warning) for warning in reader.warnings] == [True]
    path.chmod(0o602)
    reader, _, _ = read_from(tmp_path, FILE)
    assert [f"may be written by other users (run: chmod 600 {path})" in line for line in problems(reader)] == [True]
    assert secrets.clients["a-secret-in-a-file"] == "laptop"


def test_the_files_of_providers_and_redis_are_judged_too(tmp_path: Path) -> None:
    for name in ("up", "redis"):
        (tmp_path / name).write_text("another-secret-x")
        (tmp_path / name).chmod(0o622)
    more = '[providers.two]\ndialect = "openai"\nbase_url = "https://two.test"\napi_keys = [{ file = "up" }]\n'
    reader, _, files = read_from(tmp_path, more=f'{more}[redis]\npassword = {{ file = "redis" }}\n')
    assert [problem.path for problem in reader.problems] == [str(path) for path in files]
    assert {path.name for path in files} == {"up", "redis"}


def test_a_password_of_redis_that_is_not_there_is_a_warning(tmp_path: Path) -> None:
    reader, _, _ = read_from(tmp_path, more='[redis]\npassword = { env = "REDIS" }\n')
    assert [warning.message for warning in reader.warnings] == ["redis.password is empty: REDIS is empty or not there"]
    reader, secrets, _ = read_from(tmp_path, more='[redis]\npassword = { env = "REDIS" }\n', REDIS="pass word")
    assert (secrets.redis, reader.problems) == ("pass word", [])


def test_a_link_is_followed_when_it_is_read_not_when_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("the-first-secret-1")
    (tmp_path / "two").write_text("the-second-secret")
    (tmp_path / "key").symlink_to("one")
    _, secrets, files = read_from(tmp_path, FILE)
    assert "the-first-secret-1" in secrets.clients
    (tmp_path / "key").unlink()
    (tmp_path / "key").symlink_to("two")
    _, secrets, _ = read_from(tmp_path, FILE)
    assert "the-second-secret" in secrets.clients
    assert files == (tmp_path / "key",)


def test_a_file_of_an_unknown_user(tmp_path: Path) -> None:
    reader, _, _ = read_from(tmp_path, '{ file = "~nobody-of-this-name/key" }')
    assert [problem.message.endswith("No such file or directory") for problem in reader.problems] == [True]


# A key in a wrong place of the configuration

LOST = "sk-ant-lost-key-0123456789"


@pytest.mark.parametrize(
    "key", [f'{{ env = "{LOST}" }}', f'{{ file = "{LOST}" }}', '{ env = "gsk_lost_key_0123456789abc" }']
)
def test_a_key_in_place_of_its_variables_name_is_not_repeated(tmp_path: Path, key: str) -> None:
    reader, _, _ = read_from(tmp_path, key)
    [told] = map(str, reader.problems)
    assert told.startswith("c.toml:3: server key 'laptop' cannot be used: the ")
    assert "lost" not in str(reader.problems)


@pytest.mark.parametrize(
    "key", ['{ env = "MY_VERY_LONG_VARIABLE_2" }', '{ file = "/run/secrets/client2.key" }', '{ file = "laptop.key" }']
)
def test_the_names_of_variables_and_files_are_told(tmp_path: Path, key: str) -> None:
    reader, _, _ = read_from(tmp_path, key)
    assert key.split('"')[1] in str(reader.problems)


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ('[rules.mine]\nconfig = { "a" = ["x", { b = "KEY" }] }\n', "rules.mine.config.a.1.b"),
        ('[rules.mine]\nconfig = { "KEY" = 1 }\n', "rules.mine.config.?"),
        ('[providers.two]\ndialect = "openai"\nbase_url = "https://two.test/KEY/v1"\n', "providers.two.base_url"),
        ("[cache]\ntargets = ['KEY']\n", "cache.targets.0"),
    ],
)
def test_a_known_key_that_stands_elsewhere_is_refused(tmp_path: Path, more: str, place: str) -> None:
    reader, secrets, _ = read_from(tmp_path, more=more.replace("KEY", ENV["CI_B"]))
    told = reader.told(reader.problems, secrets)
    assert [problem.message for problem in told] == [f"{place}: a key stands here"]
    assert ENV["CI_B"] not in str(told)


def test_what_is_told_holds_no_known_key(tmp_path: Path) -> None:
    reader, secrets, _ = read_from(tmp_path)
    problem = Problem(
        "c.toml", 1, f"provider {ENV['LAPTOP']!r} is not configured", f"known: {ENV['UP']}, {ENV['CI_A']}"
    )
    assert str(reader.told([problem], secrets)[0]) == (
        f"c.toml:1: provider '[redacted]' is not configured (known: {ENV['UP']}, [redacted])"
    )


ADMIN = 'host = "127.0.0.1"\nadmin_token = { env = "ADMIN" }'


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        ("a-long-token-of-the-operator", ""),
        ("fifteen-letters", "it has only 15 characters; head -c 32 /dev/urandom | base64 makes one"),
        ("two words in a token", "white space or control characters stand in it"),
        ("", "ADMIN is empty or not there"),
        (ENV["LAPTOP"], "it is the same as server key 'laptop'"),
    ],
)
def test_the_admin_token_is_long_and_no_clients_key(tmp_path: Path, token: str, problem: str) -> None:
    text = CONFIG.format(key='{ env = "LAPTOP" }', more="").replace('host = "127.0.0.1"', ADMIN)
    settings, lines = read(text, tmp_path / "c.toml")
    reader = Reader({**ENV, "ADMIN": token}, tmp_path, "c.toml", lines)
    secrets = reader.read(settings, {})
    expected = [f"c.toml:3: server.admin_token cannot be used: {problem}"] if problem else []
    assert problems(reader) == expected
    assert secrets.admin == ("" if problem else token)
    assert problem or secrets.redactor.text(f"x {token}") == "x [redacted]"


def test_a_file_of_the_admin_token_is_looked_at_like_any_other(tmp_path: Path) -> None:
    token = ADMIN.replace('env = "ADMIN"', 'file = "token"')
    text = CONFIG.format(key='{ env = "LAPTOP" }', more="").replace('host = "127.0.0.1"', token)
    settings, _ = read(text, tmp_path / "c.toml")
    assert files_of(settings, tmp_path) == (tmp_path / "token",)
