from pathlib import Path

import pytest

from core.config_file import environment_overrides, parse
from core.errors import ConfigError
from core.schema import UpstreamSettings
from core.schema_rollout import of_rule

GOOD = """\
[providers.anthropic]
api_key = { env = "ANTHROPIC_API_KEY" }
[providers.mine]
dialect = "openai"
base_url = "http://127.0.0.1:9/v1"
allow_private = true
[routing]
default = "anthropic,claude-sonnet-4-6"
fallback = [" mine , m "]
[plugins]
dir = "rules"
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, Path("/etc/c.toml"))
    return [str(problem) for problem in caught.value.problems]


def test_a_preset_completes_a_provider_and_targets_are_normalised() -> None:
    config = parse(GOOD, Path("/etc/c.toml"))
    assert config.providers["anthropic"].dialect == "anthropic"
    assert "claude-sonnet-4-6" in config.providers["anthropic"].models
    assert config.routing.fallback == ("mine,m",)
    assert config.plugins.dir == Path("/etc/rules")


CHAINS = """\
[routing.fallbacks]
thinking = ["mine,m"]
" mine , m " = ["anthropic,claude-haiku-4-5"]
"""


def test_fallback_chains_are_by_scenario_or_target() -> None:
    config = parse(GOOD.replace("[plugins]", f"{CHAINS}[plugins]"), Path("/etc/c.toml"))
    assert config.routing.fallbacks == {"thinking": ("mine,m",), "mine,m": ("anthropic,claude-haiku-4-5",)}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('"mine,m" = ["nobody,m"]', "13: routing.fallbacks.mine,m: provider 'nobody' is not configured"),
        ('"anthropics,m" = ["mine,m"]', "13: routing.fallbacks.anthropics,m: provider 'anthropics' is not configured"),
        ('thinking = ["mine"]', "12: routing.fallbacks: 'mine' is not 'provider,model'"),
        ('slow = ["mine,m"]', "12: routing.fallbacks: 'slow' is neither a scenario (image, web_search, long_context,"),
        ('thinking = "mine,m"', "13: routing.fallbacks.thinking:"),
    ],
)
def test_a_mistake_in_a_chain_is_reported_with_its_line(line: str, said: str) -> None:
    [problem] = problems(GOOD + f"[routing.fallbacks]\n{line}\n")
    assert problem.startswith(f"/etc/c.toml:{said}")


def test_all_mistakes_are_reported_at_once_with_line_and_suggestion() -> None:
    found = problems(
        """\
[server]
prot = 80
[providers.x]
dialect = "opnai"
base_url = "ftp://x"
[providers.y]
dialect = "openai"
base_url = "http://y"
timeout = 3
[routing]
default = "no comma"
"""
    )
    assert len(found) == 5
    assert found[0] == "/etc/c.toml:2: server.prot: unknown key (did you mean 'port'?)"
    assert found[1].startswith("/etc/c.toml:4: providers.x.dialect")
    assert found[2].startswith("/etc/c.toml:5: providers.x.base_url")
    assert found[3].startswith("/etc/c.toml:9: providers.y.timeout: unknown key")
    assert found[4] == "/etc/c.toml:11: routing.default: 'no comma' is not 'provider,model'"


def test_targets_of_unknown_providers_are_mistakes() -> None:
    found = problems(GOOD.replace("[plugins]", "[routing.runtime]\nthinking = 'antropic,x'\n[plugins]"))
    assert found == [
        "/etc/c.toml:11: routing.runtime.thinking: provider 'antropic' is not configured (did you mean 'anthropic'?)"
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('{ env = "ANTHROPIC_API_KEY" }', '"sk-123"'), "a secret must not stand in the file"),
        (('{ env = "ANTHROPIC_API_KEY" }', "{ }"), "exactly one of env and file"),
        (("[plugins]", '[server]\nhost = "0.0.0.0"\n[plugins]'), "needs at least one"),
        (("[routing]", '[routing]\norder = ["custom"]'), "must contain"),
    ],
)
def test_other_mistakes(change: tuple[str, str], said: str) -> None:
    found = problems(GOOD.replace(*change))
    assert said in found[0]
    assert "sk-123" not in found[0]


@pytest.mark.parametrize(
    ("name", "said"),
    [("antropic", "did you mean [providers.anthropic]?"), ("mine", "only these need none: anthropic,")],
)
def test_a_provider_that_is_nearly_a_preset(name: str, said: str) -> None:
    [found] = problems(f'[providers.{name}]\n[routing]\ndefault = "{name},x"\n')
    assert f":1: providers.{name}.dialect: is missing ({said}" in found


def test_broken_toml_has_its_line() -> None:
    assert problems("[server\n")[0].startswith("/etc/c.toml:1: not TOML")
    assert "not TOML" in problems("a = " + "1" * 5000)[0]
    endless = environment_overrides({"TERRAPHIM_SERVER__PORT": "1" * 5000})
    assert endless == {"server": {"port": "1" * 5000}}


def test_the_environment_overrides() -> None:
    env = {
        "TERRAPHIM_SERVER__PORT": "4000",
        "TERRAPHIM_ROUTING__DEFAULT": "mine,m",
        "TERRAPHIM_CONFIG": "x",
        "HOME": "/",
    }
    overrides = environment_overrides(env)
    assert overrides == {"server": {"port": 4000}, "routing": {"default": "mine,m"}}
    config = parse(GOOD, Path("/etc/c.toml"), overrides)
    assert (config.server.port, config.routing.default) == (4000, "mine,m")


def test_variables_of_every_type_and_of_rules() -> None:
    env = {
        "TERRAPHIM_RULES__COST_GUARD__PRIORITY": "10",
        "TERRAPHIM_RULES__COST_GUARD__ALLOW_DENY": "true",
        "TERRAPHIM_RULES__COST_GUARD__GRANT": '["request.last_user"]',
        "TERRAPHIM_RULES__COST_GUARD__CONFIG__MAX_USD": "0.5",
        "TERRAPHIM_RULES__COST_GUARD__CONFIG__NOTE": "a, b = c",
    }
    config = {"max_usd": 0.5, "note": "a, b = c"}
    expected = {"priority": 10, "allow_deny": True, "grant": ["request.last_user"], "config": config}
    assert environment_overrides(env) == {"rules": {"cost_guard": expected}}


@pytest.mark.parametrize("names", [("TERRAPHIM_A__B", "TERRAPHIM_A__B__C"), ("TERRAPHIM_A__B__C", "TERRAPHIM_A__B")])
def test_variables_that_contradict_each_other(names: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match="TERRAPHIM_A__B__C contradicts"):
        environment_overrides(dict.fromkeys(names, "x"))


@pytest.mark.parametrize("url", ["http://[::1", "http://a:99999999", "http://a:0", "http://:80", "https://\u0007a"])
def test_an_address_that_is_no_url(url: str) -> None:
    escaped = url.replace("\u0007", "\\u0007")
    found = problems(GOOD.replace("api_key", f'base_url = "{escaped}"\napi_key', 1))
    assert len(found) == 1
    assert "base_url" in found[0]


@pytest.mark.parametrize("network", ["10.0.0.1/8", "10.0.0.0/33", "localhost", ""])
def test_a_network_that_is_none(network: str) -> None:
    [problem, *_] = problems(f'[server]\ntrusted_proxies = ["{network}"]\n{GOOD}')
    assert problem.startswith("/etc/c.toml:2: server.trusted_proxies")


@pytest.mark.parametrize("path", ["a\\u0000b", "~no-such-user/x"])
def test_a_path_that_the_system_does_not_know(path: str) -> None:
    assert "not a usable path" in problems(f'{GOOD}\n[taxonomy]\ndir = "{path}"\n')[0]


def test_toml_that_is_nested_too_deeply() -> None:
    assert "nested too deeply" in problems("a = " + "[" * 100_000)[0]


def test_a_providers_clocks_are_its_own_or_those_of_all() -> None:
    text = GOOD.replace("allow_private = true", "allow_private = true\nclocks = { first_content_s = 900 }")
    config = parse(text + "[upstream]\nconnect_s = 3\nfirst_content_s = 60\n", Path("/etc/c.toml"))
    assert config.clocks["mine"] == UpstreamSettings(connect_s=3, first_content_s=900)
    assert config.clocks["anthropic"] == UpstreamSettings(connect_s=3, first_content_s=60)


@pytest.mark.parametrize("clock", ["connect_s", "first_content_s", "between_content_s", "total_s"])
@pytest.mark.parametrize("value", ["0", "-1", "inf", "nan"])
def test_a_clock_that_never_rings_is_a_mistake(clock: str, value: str) -> None:
    [of_all] = problems(f"{GOOD}[upstream]\n{clock} = {value}\n")
    [own] = problems(GOOD.replace("allow_private = true", f"clocks = {{ {clock} = {value} }}"))
    assert f"upstream.{clock}: " in of_all
    assert f"providers.mine.clocks.{clock}: " in own


KEY = '[[server.keys]]\nname = "{name}"\n{key}\n'


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([("a", 'key = { env = "A" }'), ("b", 'keys = [{ env = "A" }, { file = "b" }]')], None),
        ([("a", 'key = { env = "A" }'), ("a", 'key = { env = "B" }')], "another key is named 'a' already"),
        ([("a", "")], "key is missing"),
        ([("a", "keys = []")], "key is missing"),
        ([("a", 'key = { env = "A" }\nkeys = [{ env = "B" }]')], "give key or keys, not both"),
        ([("a", 'keys = ["sk-literal"]')], "a secret must not stand in the file"),
        ([("a b", 'key = { env = "A" }')], "name"),
    ],
)
def test_clients_and_their_secrets(keys: list[tuple[str, str]], said: str | None) -> None:
    text = "".join(KEY.format(name=name, key=key) for name, key in keys) + GOOD
    if said is None:
        names = [(key.name, len(key.refs)) for key in parse(text, Path("/etc/c.toml")).server.keys]
        assert names == [("a", 1), ("b", 2)]
    else:
        with pytest.raises(ConfigError, match=said) as caught:
            parse(text, Path("/etc/c.toml"))
        assert "sk-literal" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[plugins.rollout]\nauto = "promote"\n', "plugins.rollout: auto = .* is said for one rule"),
        ("[plugins.rollout]\nmin_decisions = 1\n", "plugins.rollout.min_decisions: "),
        ('[rules.x.rollout]\nauto = "promotes"\n', "rules.x.rollout.auto: "),
        ("[rules.x.policy.rollout]\nsteps = [0]\n", "rules.x.rollout.steps.0: "),
        ("[rules.x.rollout]\nmax_fault_rates = 1\n", "unknown key \\(did you mean 'max_fault_rate'"),
        ("[rules.x]\nrollout = 5\n", "rules.x.rollout: is not a table"),
    ],
)
def test_how_rules_are_rolled_out_is_checked(table: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(GOOD + table, Path("/etc/c.toml"))


def test_a_rules_own_way_is_laid_over_that_of_all() -> None:
    text = '[plugins.rollout]\nmax_fuel = 80\nsteps = [1]\n[rules.x.rollout]\nauto = "promote"\nsteps = [2, 3]\n'
    settings = parse(GOOD + text, Path("/etc/c.toml"))
    own = of_rule(settings.plugins.rollout, settings.rules["x"]["rollout"])
    assert (own.auto, own.steps, own.max_fuel, own.min_decisions) == ("promote", (2, 3), 80, 200)
