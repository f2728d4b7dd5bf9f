from pathlib import Path

import pytest

from core.errors import ConfigError
from core.exchange import ProviderKey
from core.settings import config_path, load

CONFIG = """\
[server]
[[server.keys]]
name = "laptop"
key = { file = "client.key" }
[providers.anthropic]
api_key = { env = "MY_KEY" }
[routing]
default = "anthropic,claude-sonnet-4-6"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(CONFIG)
    (tmp_path / "client.key").write_text("s3cret\n")
    return path


def env(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(tmp_path), "TERRAPHIM_DISCOVERY": "off", **more}


def test_without_anything_the_embedded_default_is_simulated(tmp_path: Path) -> None:
    loaded = load(None, env(tmp_path))
    assert loaded.settings.simulated
    assert set(loaded.settings.providers) == {
        "anthropic", "openrouter", "openai", "deepseek", "gemini", "groq", "ollama",
    }  # fmt: skip
    assert len(loaded.settings.providers["openrouter"].models) == 5


def test_one_real_key_ends_the_simulation_and_parts_are_played_by_who_is_there(tmp_path: Path) -> None:
    loaded = load(None, {"HOME": str(tmp_path), "OPENROUTER_API_KEY": "or-1"})
    assert not loaded.settings.simulated
    assert "openrouter" in loaded.settings.providers
    assert "anthropic" not in loaded.settings.providers
    assert loaded.settings.routing.default == "openrouter,anthropic/claude-sonnet-4.5"
    assert loaded.secrets.providers == {"openrouter": (ProviderKey(1, "or-1"),)}


def test_secrets_come_from_files_and_environment_and_are_never_shown(config: Path, tmp_path: Path) -> None:
    loaded = load(config, env(tmp_path, MY_KEY=" p-1 "))
    assert loaded.secrets.providers == {"anthropic": (ProviderKey(1, "p-1"),)}
    assert loaded.secrets.clients == {"s3cret": "laptop"}
    assert "p-1" not in repr(loaded)
    assert "s3cret" not in repr(loaded)


def test_a_missing_provider_key_is_a_warning_and_a_missing_client_key_a_refusal(config: Path, tmp_path: Path) -> None:
    assert "MY_KEY is empty or not there" in str(load(config, env(tmp_path)).warnings[0])
    (tmp_path / "client.key").write_text(" \n")
    with pytest.raises(ConfigError, match=r"server key 'laptop' cannot be used: client\.key is empty"):
        load(config, env(tmp_path))


def test_files_as_windows_editors_write_them(config: Path, tmp_path: Path) -> None:
    config.write_bytes(b"\xef\xbb\xbf" + CONFIG.replace("\n", "\r\n").encode())
    (tmp_path / "client.key").write_bytes(b"\xef\xbb\xbfs3cret\r\n")
    assert load(config, env(tmp_path)).secrets.clients == {"s3cret": "laptop"}


@pytest.mark.parametrize("key", ["sk-a\nb", "sk-\u043a", "sk-a\x00"])
def test_a_key_that_no_header_can_carry_is_no_key(config: Path, tmp_path: Path, key: str) -> None:
    loaded = load(config, env(tmp_path, MY_KEY=key))
    assert loaded.secrets.providers == {}
    assert "no header can carry it" in str(loaded.warnings)
    assert key not in str(loaded.warnings)


def test_everything_that_is_wrong_is_told_at_once(config: Path, tmp_path: Path) -> None:
    (tmp_path / "client.key").write_text("")
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    plugins.chmod(0o777)
    config.write_text(CONFIG + '[plugins]\ndir = "plugins"\npublic_keys = ["a.pub"]\nrequire_lock = true\n')
    config.write_text(config.read_text().replace('"anthropic,', '"nobody,'))
    with pytest.raises(ConfigError) as caught:
        load(config, env(tmp_path))
    said = [problem.message for problem in caught.value.problems]
    assert [message.partition(":")[0] for message in said] == [
        "routing.default",
        "server key 'laptop' cannot be used",
        "may be written by other users",
        "plugins.public_keys",
    ]


def test_the_files_of_the_keys_are_known(config: Path, tmp_path: Path) -> None:
    assert load(config, env(tmp_path)).key_files == ((tmp_path / "client.key").resolve(),)


def test_a_configuration_behind_a_link(config: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    assert load(tmp_path / "link" / config.name, env(tmp_path)).secrets.clients == {"s3cret": "laptop"}


def test_what_others_may_write_is_refused_with_the_mend(config: Path, tmp_path: Path) -> None:
    config.chmod(0o646)
    with pytest.raises(ConfigError, match=f"chmod go-w {config}"):
        load(config, env(tmp_path))


def test_the_configuration_is_never_taken_from_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text("broken")
    monkeypatch.chdir(tmp_path)
    assert config_path(None, {"HOME": str(tmp_path / "home")}) is None


def test_where_the_configuration_is_looked_for(tmp_path: Path) -> None:
    found = tmp_path / "xdg" / "terraphim-proxy" / "config.toml"
    found.parent.mkdir(parents=True)
    found.write_text("")
    assert config_path(None, {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}) == found
    assert config_path(None, {"TERRAPHIM_CONFIG": "/a"}) == Path("/a")
    assert config_path(Path("/b"), {"TERRAPHIM_CONFIG": "/a"}) == Path("/b")


def test_the_command_line_wins(config: Path, tmp_path: Path) -> None:
    loaded = load(config, env(tmp_path, TERRAPHIM_SERVER__PORT="1"), port=2, plugins=tmp_path)
    assert loaded.settings.server.port == 2
    assert loaded.settings.plugins.dir == tmp_path.resolve()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"TERRAPHIM_SERVER__HOST": "0.0.0.0"}, "needs at least one"),  # noqa: S104  # refused
        ({"TERRAPHIM_ROUTING__DEFAULT": "nobody,x"}, "provider 'nobody' is not configured"),
        ({"TERRAPHIM_SERVER__PRT": "1"}, "prt"),
    ],
)
def test_the_embedded_default_is_checked_like_a_file(tmp_path: Path, more: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(None, env(tmp_path, **more))


def test_an_open_address_without_a_key_is_refused_from_the_command_line_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs at least one"):
        load(None, env(tmp_path), host="0.0.0.0")  # noqa: S104  # refused


# Keys of the rules' authors

AUTHOR = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
PEM = f"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA{AUTHOR}\n-----END PUBLIC KEY-----\n"


def with_plugins(config: Path, text: str) -> Path:
    config.write_text(f"{config.read_text()}[plugins]\n{text}\n")
    return config


def test_public_keys_are_given_as_themselves_or_as_files(config: Path, tmp_path: Path) -> None:
    (tmp_path / "a.pub").write_bytes(b"\xef\xbb\xbf" + AUTHOR.encode() + b"\r\n")
    (tmp_path / "b.pem").write_text(PEM)
    (tmp_path / "link.pub").symlink_to(tmp_path / "a.pub")
    with_plugins(config, f'require_signature = true\npublic_keys = ["a.pub", "b.pem", "link.pub", "{AUTHOR}"]')
    loaded = load(config, env(tmp_path))
    assert loaded.settings.plugins.public_keys == (AUTHOR,)
    assert {path.name for path in loaded.key_files} == {"client.key", "a.pub", "b.pem"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "a.pub cannot be read: No such file"),
        (b"", "a.pub is not an Ed25519 public key"),
        (b"\xff", "a.pub is not text"),
        (b"A" * 43 + b"=", "a.pub is not a usable Ed25519 public key: anybody could sign for it"),
        (b"x" * 5000, "a.pub is larger than"),
    ],
)
def test_a_public_key_that_is_none_stops_the_start(
    config: Path, tmp_path: Path, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "a.pub").write_bytes(content)
    with pytest.raises(ConfigError, match=f"plugins.public_keys: {words}"):
        load(with_plugins(config, 'public_keys = ["a.pub"]'), env(tmp_path))


def test_a_public_key_that_everybody_may_change_is_refused(config: Path, tmp_path: Path) -> None:
    (tmp_path / "a.pub").write_text(AUTHOR)
    (tmp_path / "a.pub").chmod(0o666)
    with pytest.raises(ConfigError, match="everybody may write to it"):
        load(with_plugins(config, 'public_keys = ["a.pub"]'), env(tmp_path))


def test_demanding_signatures_needs_keys(config: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"plugins\.require_signature: no signature can be good without"):
        load(with_plugins(config, "require_signature = true"), env(tmp_path))


POOL = 'api_keys = [{ env = "A" }, { file = "b.key" }, { env = "C" }, { env = "D" }, { env = "E" }]'


def test_a_pool_keeps_the_keys_that_can_be_used_under_their_positions(config: Path, tmp_path: Path) -> None:
    config.write_text(CONFIG.replace('api_key = { env = "MY_KEY" }', POOL))
    (tmp_path / "b.key").write_text("sk-b\n")
    loaded = load(config, env(tmp_path, A="sk-a", D="sk-a", E="sk-\ne"))
    assert loaded.secrets.providers == {"anthropic": (ProviderKey(1, "sk-a"), ProviderKey(2, "sk-b"))}
    without = [str(warning).partition("goes without its ")[2] for warning in loaded.warnings]
    assert [said for said in without if said] == [
        "key 3: C is empty or not there",
        "key 4: it is the same as key 1",
        "key 5: its key is no line of plain ASCII, so no header can carry it",
    ]
    assert "sk-" not in repr(loaded)
    assert tmp_path / "b.key" in loaded.key_files


def test_a_pool_wins_over_the_usual_variable_and_excludes_a_single_key(config: Path, tmp_path: Path) -> None:
    config.write_text(CONFIG.replace('api_key = { env = "MY_KEY" }', 'api_keys = [{ env = "A" }]'))
    usual = {"HOME": str(tmp_path), "ANTHROPIC_API_KEY": "usual"}
    assert load(config, {**usual, "A": "a"}).secrets.providers == {"anthropic": (ProviderKey(1, "a"),)}
    assert load(config, usual).secrets.providers == {}
    config.write_text(CONFIG.replace('api_key = { env = "MY_KEY" }', f'api_key = {{ env = "A" }}\n{POOL}'))
    with pytest.raises(ConfigError, match="give api_key or api_keys, not both"):
        load(config, usual)


def test_the_password_of_redis_is_a_secret_and_its_file_is_watched(config: Path, tmp_path: Path) -> None:
    config.write_text(f'{CONFIG}[redis]\nurl = "redis://127.0.0.1"\npassword = {{ file = "redis.pw" }}\n')
    (tmp_path / "redis.pw").write_text("c4nary\n")
    loaded = load(config, env(tmp_path, MY_KEY="k"))
    assert (loaded.secrets.redis, tmp_path / "redis.pw" in loaded.key_files) == ("c4nary", True)
    assert "c4nary" not in repr(loaded)
    (tmp_path / "redis.pw").write_text("\n")
    assert "redis.password is empty" in "".join(map(str, load(config, env(tmp_path, MY_KEY="k")).warnings))


def test_who_signed_the_certificate_of_redis_is_a_file_of_certificates(config: Path, tmp_path: Path) -> None:
    config.write_text(f'{CONFIG}[redis]\nurl = "rediss://127.0.0.1"\nca_file = "ca.pem"\n')
    with pytest.raises(ConfigError, match=r"redis.ca_file: .* cannot be read"):
        load(config, env(tmp_path))
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ConfigError, match=r"redis.ca_file: .* holds no certificate"):
        load(config, env(tmp_path))
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    loaded = load(config, env(tmp_path))
    assert loaded.settings.redis.ca_file == tmp_path / "ca.pem"
    assert tmp_path / "ca.pem" in loaded.key_files
