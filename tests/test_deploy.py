"""What deploy/ says is true: its YAML is YAML, its names are ours, and its times and addresses fit one another."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from facts import ROOT
from nginx_server import rendered

from core import settings
from core.config_file import environment_overrides, parse
from core.schema import Settings

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
CLUSTER = [part for part in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()) if part]
NGINX = (DEPLOY / "nginx.conf").read_text()
#: Variables that are no settings: docs/configuration.md lists them.
OTHERS = {"TERRAPHIM_CONFIG", "TERRAPHIM_DISCOVERY"}
TRUSTED = "TERRAPHIM_SERVER__TRUSTED_PROXIES"
#: What a stop takes beside its two settings, in seconds (docs/operations.md, "Stopping").
BESIDE_S = 5


def configured(environment: dict[str, str]) -> Settings:
    """The deployment's configuration, as a proxy with these variables reads it."""
    overrides = environment_overrides(environment)
    return parse((DEPLOY / "config.toml").read_text(), Path("/etc/terraphim/config.toml"), overrides)


def proxies() -> dict[str, Any]:
    return {name: service for name, service in COMPOSE["services"].items() if name.startswith("proxy-")}


def resource(kind: str, name: str) -> Any:
    [found] = [part for part in CLUSTER if (part["kind"], part["metadata"]["name"]) == (kind, name)]
    return found


def pod(name: str) -> Any:
    return resource("Deployment", name)["spec"]["template"]["spec"]


def container(name: str) -> Any:
    [found] = pod(name)["containers"]
    return found


def environments() -> list[dict[str, str]]:
    """The variables of each proxy that is described."""
    cluster = {entry["name"]: entry["value"] for entry in container("terraphim-proxy")["env"]}
    return [cluster, *(service["environment"] for service in proxies().values())]


def seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+)s", text)
    assert found is not None
    return float(found[1])


def test_every_variable_is_a_setting_and_the_configuration_is_sound() -> None:
    for environment in environments():
        assert all(isinstance(value, str) for value in environment.values())
        named = {name for name in environment if name.startswith("TERRAPHIM_")}
        assert named >= OTHERS
        found = configured({name: environment[name] for name in named - OTHERS})
        assert found.redis.url
        assert found.server.keys
        assert found.server.trusted_proxies


def test_a_name_that_is_no_setting_would_be_seen() -> None:
    with pytest.raises(Exception, match="unknown key"):
        configured({"TERRAPHIM_SERVER__NO_SUCH_THING": "1"})


def test_there_are_several_proxies_and_nginx_knows_each() -> None:
    port = configured({}).server.port
    named = re.findall(r"server (\S+):(\d+) ", NGINX)
    assert sorted(named) == sorted((name, str(port)) for name in proxies())
    assert len(proxies()) == resource("Deployment", "terraphim-proxy")["spec"]["replicas"] == 3
    assert [entry["containerPort"] for entry in container("terraphim-proxy")["ports"]] == [port]
    [listened] = re.findall(r"listen (\d+);", NGINX)
    assert COMPOSE["services"]["nginx"]["ports"] == [f"8080:{listened}"]


def test_the_proxies_trust_the_nginx_that_asks_them() -> None:
    address = COMPOSE["services"]["nginx"]["networks"]["inside"]["ipv4_address"]
    for service in proxies().values():
        trusted = configured({TRUSTED: service["environment"][TRUSTED]}).server.trusted_proxies
        assert [str(network) for network in trusted] == [f"{address}/32"]
    addresses = [each["networks"]["inside"]["ipv4_address"] for each in COMPOSE["services"].values()]
    assert len(set(addresses)) == len(addresses)


def test_nobody_is_killed_before_the_proxy_has_stopped() -> None:
    server = configured({}).server
    needed = server.drain_delay_s + server.drain_s + BESIDE_S
    assert pod("terraphim-proxy")["terminationGracePeriodSeconds"] > needed
    assert all(seconds(service["stop_grace_period"]) > needed for service in proxies().values())


def test_nginx_outlasts_the_proxies_clocks_and_repeats_no_post() -> None:
    [read] = re.findall(r"proxy_read_timeout (\d+)s;", NGINX)
    assert float(read) > configured({}).upstream.total_s
    words = re.sub("#.*", "", NGINX)
    assert re.findall(r"proxy_next_upstream ([^;]+);", words) == ["error timeout"]
    assert "keepalive" not in words
    assert "proxy_set_header Connection close;" in words
    assert "proxy_buffering off;" in words
    assert "proxy_request_buffering off;" in words


def test_redis_is_where_the_configuration_says() -> None:
    found = configured({}).redis.url
    assert found == "redis://redis:6379/0"
    assert "redis" in COMPOSE["services"]
    assert resource("Service", "redis")["spec"]["ports"][0]["port"] == 6379


def test_secrets_are_files_in_folders_that_are_there() -> None:
    text = (DEPLOY / "config.toml").read_text()
    files = {Path(name) for name in re.findall(r'file = "([^"]+)"', text)}
    assert files
    assert not re.findall(r"\benv = ", text)
    [mounted] = [
        volume["mountPath"] for volume in container("terraphim-proxy")["volumeMounts"] if volume["name"] == "secrets"
    ]
    assert {str(path.parent) for path in files} == {mounted}
    for service in proxies().values():
        assert f"./secrets:{mounted}:ro" in service["volumes"]
    [volume] = [volume for volume in pod("terraphim-proxy")["volumes"] if volume["name"] == "secrets"]
    assert not volume["secret"]["defaultMode"] & 0o007


def test_containers_have_no_rights_that_they_do_not_need() -> None:
    for name in ("terraphim-proxy", "redis"):
        assert pod(name)["securityContext"]["runAsNonRoot"] is True
        context = container(name)["securityContext"]
        assert context == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container(name)["resources"]["limits"]["memory"]
    for service in COMPOSE["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_probes_ask_by_a_name_that_is_served() -> None:
    probed = container("terraphim-proxy")
    for probe, path in (("livenessProbe", "live"), ("readinessProbe", "ready"), ("startupProbe", "live")):
        asked = probed[probe]["httpGet"]
        assert asked["path"] == f"/health/{path}"
        assert asked["httpHeaders"] == [{"name": "Host", "value": "localhost"}]


def test_every_volume_is_there_and_every_name_meets_its_other_end() -> None:
    for name in ("terraphim-proxy", "redis"):
        volumes = {volume["name"] for volume in pod(name)["volumes"]}
        assert {mount["name"] for mount in container(name)["volumeMounts"]} == volumes
        labels = resource("Deployment", name)["spec"]["template"]["metadata"]["labels"]
        assert resource("Service", name)["spec"]["selector"] == labels
        assert resource("Deployment", name)["spec"]["selector"]["matchLabels"] == labels
    budget = resource("PodDisruptionBudget", "terraphim-proxy")["spec"]["selector"]["matchLabels"]
    assert budget == resource("Service", "terraphim-proxy")["spec"]["selector"]
    for service in COMPOSE["services"].values():
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert source.startswith("./secrets") or (DEPLOY / source).is_file()


def test_images_are_named_without_a_registry_and_what_was_not_run_says_so() -> None:
    images = [service["image"] for service in COMPOSE["services"].values()]
    images += [container(name)["image"] for name in ("terraphim-proxy", "redis")]
    assert not [image for image in images if "." in image.partition("/")[0] and "/" in image]
    for name in ("compose.yaml", "kubernetes.yaml"):
        assert "UNRUN" in (DEPLOY / name).read_text()


def test_a_rendered_nginx_differs_in_addresses_alone(tmp_path: Path) -> None:
    text = rendered(tmp_path, 1234, [1, 2])
    before, after = ([line.split("#")[0].strip() for line in lines.splitlines()] for lines in (NGINX, text))
    changed = sorted(set(after) - set(before))
    assert [line for line in changed if "nginx" not in line] == [
        "listen 127.0.0.1:1234;",
        "server 127.0.0.1:1 max_fails=0;",
        "server 127.0.0.1:2 max_fails=0;",
    ]
    assert {line.split()[0] for line in changed if "nginx" in line} == {
        "pid", *(f"{name}_temp_path" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")),
    }  # fmt: skip


def test_the_state_folder_of_each_is_writable() -> None:
    for environment in environments():
        assert settings.state_dir(environment) == Path("/var/lib/terraphim/terraphim-proxy")
        assert str(settings.cache_dir(environment)).startswith("/tmp/")  # noqa: S108
