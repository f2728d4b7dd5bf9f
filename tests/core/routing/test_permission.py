from pathlib import Path

import pytest

from core.config_file import parse
from core.exchange import Target
from core.routing.permission import idle, key_named, nobody, permitted, refusal

CONFIG = """\
[[server.keys]]
name = "ci"
key = { env = "A" }
targets = [TARGETS]
[providers.a]
dialect = "loopback"
[providers.a.models]
b = {}
Big = {}
[providers.free]
dialect = "loopback"
any_model = true
[routing]
default = "a,b"
"""


@pytest.mark.parametrize(
    ("name", "allowed", "may"),
    [
        ("a,b", (), True),
        ("a,b", ("a,b",), True),
        ("a,b", ("A,B",), True),
        ("a,Big", ("a,big",), True),
        ("a,b", ("a,*",), True),
        ("a,b", ("*,b",), True),
        ("a,b", ("*",), True),
        ("a,b", ("c,*", "a,?"), True),
        ("a,b", ("a",), False),
        ("a,b", ("b,*",), False),
        ("a,bb", ("a,b",), False),
        ("aa,b", ("a,b",), False),
        ("a,b\nc,d", ("c,d",), False),
        ("a,b", ("",), False),
        ("openrouter,deepseek/deepseek-r1", ("openrouter,deepseek/*",), True),
        ("openrouter,deepseek/deepseek-r1", ("deepseek/*",), False),
    ],
)
def test_globs_fit_whole_names(name: str, allowed: tuple[str, ...], may: bool) -> None:
    assert permitted(name, allowed) is may


def test_a_glob_of_stars_over_a_long_name_is_no_work() -> None:
    assert not permitted("a," + "a" * 50_000, ("a,*a*a*a*a*a*a*a*a*b",))


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ('"a,b", "A,*", "*,b", "free,anything", "*"', []),
        ('"a,c"', ["c.toml: server key 'ci': targets: 'a,c' fits no target"]),
        ('"nobody,*"', ["c.toml: server key 'ci': targets: 'nobody,*' fits no target"]),
        (
            '"a"',
            [
                "c.toml: server key 'ci': targets: 'a' fits no target "
                "(a target is provider,model: 'a,*' is all of a provider's)"
            ],
        ),
    ],
)  # fmt: skip
def test_globs_that_let_nobody_in_are_problems(targets: str, said: list[str]) -> None:
    settings = parse(CONFIG.replace("TARGETS", targets), Path("/etc/c.toml"))
    listed = {Target("a", "b"): None, Target("a", "Big"): None}
    assert list(map(str, idle(settings, listed, "c.toml"))) == said


def test_limits_of_no_target_are_problems() -> None:
    named = "".join(f'[limits.targets."{name}"]\n' for name in ("a", "A,*", "free,x", "b", "a,c"))
    settings = parse(CONFIG.replace("TARGETS", '"a,*"') + named, Path("/etc/c.toml"))
    assert list(map(str, idle(settings, {Target("a", "b"): None}, "c.toml"))) == [
        "c.toml: limits.targets: 'b' fits no target",
        "c.toml: limits.targets: 'a,c' fits no target",
    ]


def test_what_a_client_is_told_names_its_key_the_setting_and_what_to_do() -> None:
    assert refusal(Target("a", "c"), "ci", ("a,b",)) == (
        "key 'ci' may not ask a,c: its server.keys[].targets are a,b. GET /v1/models lists what it may ask."
    )
    said = nobody("ci", ("a,b",), [Target("c", "d"), Target("c", "e")])
    assert "key 'ci': its server.keys[].targets are a,b; it would go to c,d, c,e. Name a target" in said


def test_a_key_by_its_name() -> None:
    settings = parse(CONFIG.replace("TARGETS", '"a,b"'), Path("/etc/c.toml"))
    assert key_named(settings, "ci") is settings.server.keys[0]
    assert key_named(settings, "CI") is None
