import re
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from command import Cli
from configs import write_config
from proxy import RunningProxy
from redis_server import RedisServer
from upstream import Upstream

from core.cli_doctor import PROMISE, Report, _path, assemble, examine, exit_code, text
from core.finding import Finding
from wasm_host import child, hardening

ALL = dict.fromkeys(hardening.LACKS, hardening.ON)
GOOD = (Finding("configuration", ok=True, state="config.toml"), Finding("cache", ok=True, state="cache"))


@pytest.fixture(autouse=True)
def _a_port_of_its_own(clean_env: dict[str, str]) -> None:
    """Whoever serves on this machine has nothing to do with these tests, nor has the tests' cache."""
    del clean_env["XDG_CACHE_HOME"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        clean_env["TERRAPHIM_SERVER__PORT"] = str(free.getsockname()[1])


def command(env: dict[str, str], *args: str | Path) -> tuple[int, str]:
    """Exit code and stdout of `doctor`."""
    return Cli(env, Path("/"))("doctor", *args)[:2]


def found(report: Report | dict[str, Any], name: str) -> Finding:
    whole = msgspec.convert(report, Report, from_attributes=True)
    return next(finding for finding in (*whole.settings, *whole.layers) if finding.name == name)


def test_the_promise_is_made_where_everything_holds() -> None:
    report = assemble(ALL, "process", GOOD)
    assert (report.promised, report.promise, exit_code(report)) == (True, PROMISE, 0)
    assert text(report).endswith(PROMISE)
    assert "MISSING" not in text(report)


@pytest.mark.parametrize("name", sorted(hardening.LACKS))
def test_a_missing_layer_is_named_with_its_reason_and_meaning(name: str) -> None:
    report = assemble(ALL | {name: "Function not implemented"}, "process", GOOD)
    assert (report.promised, exit_code(report)) == (False, 1)
    assert report.promise == f"Not promised: these layers are missing: {name}."
    shown = text(report)
    assert f"MISSING  {name.replace('_', ' '):<14}  Function not implemented\n" in shown
    assert shown.count("MISSING") == 1
    assert f"{hardening.LACKS[name]}; it needs " in shown
    assert PROMISE not in shown


def test_nothing_is_promised_for_rules_in_the_proxys_process() -> None:
    report = assemble(ALL, "inline", GOOD)
    assert (report.promised, exit_code(report)) == (False, 1)
    assert 'signed and locked rules run in the proxy\'s own process (plugins.isolation = "inline")' in report.promise


def test_a_bad_folder_does_not_touch_the_promise() -> None:
    report = assemble(ALL, "process", (*GOOD, Finding("plugins", ok=False, state="/x is no folder", hint="make it")))
    assert (report.promised, exit_code(report)) == (True, 1)
    assert "make it" in text(report)


KEYS = """\
[[server.keys]]
name = "laptop"
key = { env = "LAPTOP" }
[[server.keys]]
name = "ci"
keys = [{ file = "ci.key" }, { env = "CI" }]
targets = ["one,*", "two,b"]
[providers.one]
dialect = "openai"
base_url = "https://one.test"
api_keys = [{ env = "ONE_A" }, { env = "ONE_B" }]
[providers.two]
dialect = "ollama"
base_url = "http://127.0.0.1:9"
allow_private = true
[routing]
default = "one,m"
"""


def test_keys_are_told_by_name_and_place_only(tmp_path: Path, clean_env: dict[str, str]) -> None:
    (tmp_path / "c.toml").write_text(KEYS)
    (tmp_path / "ci.key").write_text("secret-of-ci-012345")
    (tmp_path / "ci.key").chmod(0o644)
    env = clean_env | {"LAPTOP": "secret-of-laptop-01", "CI": "secret-too-of-ci-01", "ONE_B": "sk-one-b"}
    code, out = command(env, "--config", tmp_path / "c.toml")
    keys = out.partition("\nkeys\n")[2].partition("\n\n")[0]
    lines = [" ".join(line.split()) for line in keys.splitlines()]
    assert lines == [
        f"ok listens on 127.0.0.1 port {env['TERRAPHIM_SERVER__PORT']}, for clients with a key",
        "ok client laptop 1 key; all targets",
        "ok client ci 2 keys; one,*, two,b",
        "MISSING provider one key 2 of 2",
        "put it where the warning below says that it was looked for, and start the proxy again",
        "ok provider two no key",
        f"MISSING warning {tmp_path}/c.toml:8: provider 'one' goes without its key 1: ONE_A is empty or not there",
        f"MISSING warning {tmp_path}/ci.key: holds a secret and may be read by other users "
        f"(run: chmod 600 {tmp_path}/ci.key)",
    ]
    assert code == 1
    assert "secret-" not in out
    assert "sk-one" not in out


def test_the_command_says_what_is_here(clean_env: dict[str, str]) -> None:
    code, out = command(clean_env, "--json")
    report = msgspec.json.decode(out, type=Report)
    assert {finding.name: finding.state for finding in report.layers} == hardening.supported()
    assert report.python == sys.version.partition(" ")[0]
    assert report.engine.startswith("wasmtime 50.")
    assert found(report, "cache").state == f"{clean_env['HOME']}/.cache/terraphim-proxy"
    assert found(report, "engine path").state == "native"
    assert code == exit_code(report)
    plain_code, plain = command(clean_env)
    assert plain_code == code
    shown = text(report)
    for part in ("settings", "keys", "layers around a worker"):
        assert shown.partition(f"\n{part}\n")[2].partition("\n\n")[0] in plain
    assert list(report.sections) == ["versions", "proxy", "clients", "machine", "files"]
    assert all(f"\n{name}\n" in plain for name in report.sections)


def test_nobody_on_the_port_is_no_fault(clean_env: dict[str, str]) -> None:
    [told] = examine(None, clean_env).sections["proxy"]
    assert (told.ok, told.note) == (True, True)
    assert "run --serve" in told.hint


def test_a_running_proxy_is_known_as_ours(clean_env: dict[str, str], embedded: RunningProxy) -> None:
    port = embedded.url.rpartition(":")[2]
    env = clean_env | {"TERRAPHIM_SERVER__PORT": port, "ANTHROPIC_BASE_URL": f"{embedded.url}/v1"}
    report = examine(None, env | {"ANTHROPIC_AUTH_TOKEN": "sk-canary-token", "ANTHROPIC_API_KEY": "sk-canary-other"})
    proxy = report.sections["proxy"][0]
    assert proxy.ok
    assert f"process {embedded.process.pid}" in proxy.state
    bad = {each.name: each.hint for each in report.sections["clients"] if not each.ok}
    assert bad["ANTHROPIC_BASE_URL"] == f"export ANTHROPIC_BASE_URL=http://127.0.0.1:{port}"
    assert "unset ANTHROPIC_API_KEY" in bad["ANTHROPIC_API_KEY"]
    assert "sk-canary" not in text(report)
    assert exit_code(report) == 1


def test_files_are_made_private_again_if_it_is_agreed(clean_env: dict[str, str], tmp_path: Path) -> None:
    state = Path(clean_env["HOME"]) / ".local" / "state" / "terraphim-proxy"
    state.mkdir(parents=True, mode=0o700)
    token = state / "admin-token"
    token.write_text("x")
    token.chmod(0o644)
    for answer, mode in (("n\n", 0o644), ("", 0o644), ("y\n", 0o600)):
        _, out, _ = Cli(clean_env, Path("/"))("doctor", "--fix", stdin=answer.encode())
        assert token.stat().st_mode & 0o777 == mode
        assert (f"chmod 600 {token}" in out) is (mode != 0o600 and bool(answer))


def test_providers_are_asked_online_only_and_without_a_key(
    clean_env: dict[str, str], tmp_path: Path, upstream: Upstream
) -> None:
    config = write_config(tmp_path, upstream.url)
    env = clean_env | {"ONE_KEY": "sk-canary-one"}
    assert "providers" not in examine(config, env).sections
    report = examine(config, env, online=True)
    assert [(each.name, each.ok) for each in report.sections["providers"]][:2] == [("one", True), ("two", True)]
    assert "sk-canary" not in text(report)


@pytest.mark.parametrize(
    ("done", "state", "hint"),
    [
        (child.Finished(0, b"public native answers otherwise", ""), "public native answers otherwise", "three times"),
        (child.Finished(-11, b"", ""), "none (crash)", "rules cannot run"),
    ],
)
def test_a_way_to_the_engine_that_is_not_the_fast_one(
    done: child.Finished, state: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "run", lambda *_args, **_more: done)
    finding = _path()
    assert (finding.ok, finding.state) == (False, state)
    assert hint in finding.hint


def test_a_cache_folder_that_others_can_write(clean_env: dict[str, str]) -> None:
    cache = Path(clean_env["HOME"]) / ".cache" / "terraphim-proxy"
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    finding = found(examine(None, clean_env), "cache")
    assert (finding.ok, finding.hint) == (False, f"run: chmod 700 {cache}")


def test_a_plugins_folder_that_others_can_write(clean_env: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    folder.chmod(0o777)
    report = examine(None, clean_env, plugins=folder)
    finding = found(report, "configuration")
    assert exit_code(report) == 78
    assert finding.state == f"{folder}: may be written by other users (run: chmod go-w {folder})"


def test_a_plugins_folder_that_is_not_there(clean_env: dict[str, str], tmp_path: Path) -> None:
    finding = found(examine(None, clean_env, plugins=tmp_path / "none"), "plugins")
    assert (finding.ok, finding.hint) == (False, "make it, or set plugins.dir")


def test_a_configuration_that_cannot_be_used(clean_env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[server]\nprot = 1\n")
    code, out = command(clean_env, "--config", tmp_path / "config.toml")
    assert code == 78
    assert "MISSING  configuration" in out
    assert out.rstrip().endswith("Not promised: the configuration cannot be used, so nobody knows where rules run.")
    assert "prot" in out
    assert "layers around a worker" in out


def with_redis(folder: Path, more: str) -> Path:
    config = write_config(folder, "http://127.0.0.1:9")
    config.write_text(f"{config.read_text()}[redis]\n{more}\n")
    return config


def test_redis_and_what_is_kept_there(clean_env: dict[str, str], tmp_path: Path, redis_server: RedisServer) -> None:
    config = with_redis(tmp_path, f'url = "{redis_server.url}"\ntimeout_ms = 5000\n[limits]\nstore = "memory"')
    told = found(examine(config, clean_env), "redis")
    assert told.ok
    assert re.fullmatch(r"\d+\.\d+\.\d+, for resilience, sessions, cache", told.state), told


def test_a_redis_that_does_not_serve(clean_env: dict[str, str], tmp_path: Path) -> None:
    told = found(examine(with_redis(tmp_path, 'url = "redis://127.0.0.1:1"'), clean_env), "redis")
    assert (told.ok, told.state) == (False, "does not serve: unreachable")
    with pytest.raises(StopIteration):
        found(examine(write_config(tmp_path, "http://127.0.0.1:9"), clean_env), "redis")
