"""Labels hold names of the configuration, and few of everything else."""

import pytest

from core import telemetry
from core.data_plane import DATA_PLANE
from core.metrics.known import LEAST_GONE, MAX_NAMES, MAX_OWN, Known
from core.routing.runtime import SCENARIOS


@pytest.fixture
def known() -> Known:
    names = Known()
    names.learn_targets([("openai", "gpt-5"), ("gemini", "flash")])
    names.learn_providers(["openai", "gemini", "ollama"])
    names.learn("rule", ["guard"])
    names.learn("client", ["laptop"])
    names.learn("reason", ["rule:guard", "concept:research"])
    return names


@pytest.mark.parametrize(
    ("metric", "label", "value", "shown"),
    [
        (telemetry.TOKENS, "target", "openai,gpt-5", "openai,gpt-5"),
        (telemetry.TOKENS, "target", "ollama,made-up", "ollama,other"),
        (telemetry.TOKENS, "target", "made,up", "other"),
        (telemetry.TOKENS, "target", "", "other"),
        (telemetry.FALLBACKS, "answered_by", "made,up", "other"),
        (telemetry.GEN_AI_FIRST, "gen_ai_request_model", "flash", "flash"),
        (telemetry.GEN_AI_FIRST, "gen_ai_request_model", "made-up", "other"),
        (telemetry.GEN_AI_FIRST, "gen_ai_provider_name", "gcp.gemini", "gcp.gemini"),
        (telemetry.GEN_AI_FIRST, "gen_ai_provider_name", "made-up", "other"),
        (telemetry.RULE_FUEL, "rule", "guard", "guard"),
        (telemetry.RULE_FUEL, "rule", "candidate", "other"),
        (telemetry.BUDGET_SPENT, "client", "laptop", "laptop"),
        (telemetry.BUDGET_SPENT, "client", "stranger", "other"),
        (telemetry.DECISIONS, "reason", "concept:research", "concept:research"),
        (telemetry.DECISIONS, "reason", "sticky:research", "sticky:research"),
        (telemetry.DECISIONS, "reason", "sticky:default", "sticky:default"),
        (telemetry.DECISIONS, "reason", "sticky:made-up", "other"),
        (telemetry.DECISIONS, "reason", "concept:made-up", "other"),
        (telemetry.DECISIONS, "reason", "sticky:sticky:default", "other"),
        (telemetry.DECISIONS, "reason", "denied", "denied"),
        (telemetry.REQUESTS, "status", "200", "200"),
        (telemetry.REQUESTS, "status", "529", "529"),
        (telemetry.REQUESTS, "status", "477", "4xx"),
        (telemetry.REQUESTS, "status", "0", "other"),
        (telemetry.REQUESTS, "status", "9999", "other"),
        (telemetry.ATTEMPTS, "outcome", "stalled", "stalled"),
        (telemetry.ATTEMPTS, "outcome", "599", "5xx"),
        (telemetry.SNAPSHOT, "id", "0123456789ab", "0123456789ab"),
    ],
)
def test_what_a_label_may_say(known: Known, metric: telemetry.Metric, label: str, value: str, shown: str) -> None:
    assert known.admit(metric, label, value) == shown


def test_every_scenario_is_a_reason(known: Known) -> None:
    for name, _ in SCENARIOS:
        assert known.admit(telemetry.DECISIONS, "reason", name) == name


def test_every_endpoint_fits_into_what_is_ours(known: Known) -> None:
    assert [known.admit(telemetry.REQUESTS, "endpoint", path) for path in DATA_PLANE] == list(DATA_PLANE)


def shown_rules(known: Known, count: int) -> list[int]:
    """Which of `rule-0`, `rule-1`, … have a series of their own."""
    names = [f"rule-{number}" for number in range(count)]
    return [at for at, name in enumerate(names) if known.admit(telemetry.RULE_FUEL, "rule", name) == name]


def test_so_many_names_are_configured_at_once(known: Known) -> None:
    known.learn("rule", [f"rule-{number}" for number in range(2 * MAX_NAMES)])
    assert shown_rules(known, 2 * MAX_NAMES) == list(range(MAX_NAMES - 1))  # the fixture's rule is one of them
    assert known.admit(telemetry.RULE_FUEL, "rule", "guard") == "guard"


def test_names_of_earlier_configurations_are_known_until_there_are_many(known: Known) -> None:
    forgot = []
    for number in range(2 * LEAST_GONE + 1):
        known.turn()
        known.learn("rule", ["stays", f"rule-{number}"])
        forgot.append(known.forget())
    assert not any(forgot[:-1])  # `guard` is gone, too
    assert forgot[-1]
    assert shown_rules(known, 2 * LEAST_GONE + 1) == list(range(LEAST_GONE, 2 * LEAST_GONE + 1))
    assert known.admit(telemetry.RULE_FUEL, "rule", "stays") == "stays"
    assert known.admit(telemetry.RULE_FUEL, "rule", "guard") == "other"


def test_a_name_that_comes_back_is_new(known: Known) -> None:
    for number in range(2 * LEAST_GONE + 1):
        known.turn()
        known.learn("rule", [f"rule-{number}", *(["rule-0"] if number == LEAST_GONE + 1 else [])])
        known.forget()
    assert shown_rules(known, 2 * LEAST_GONE + 1)[:2] == [0, LEAST_GONE + 1]


def test_as_many_as_are_configured_may_stay(known: Known) -> None:
    for turn in range(5):
        known.turn()
        known.learn("rule", [f"rule-{turn * 1000 + number}" for number in range(1000)])
        known.forget()
    assert shown_rules(known, 5000) == list(range(3000, 5000))


def test_reasons_that_need_no_configuration_stay(known: Known) -> None:
    for number in range(5000):
        known.turn()
        known.learn("reason", [f"concept:{number}"])
        known.forget()
    assert known.admit(telemetry.DECISIONS, "reason", "long_context") == "long_context"


def test_values_of_our_own_have_an_end_too(known: Known) -> None:
    shown = {known.admit(telemetry.REFUSED, "reason", f"reason-{number}") for number in range(1_000_000)}
    assert len(shown) == MAX_OWN + 1
