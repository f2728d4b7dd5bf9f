"""Labels hold names of the configuration, and few of everything else."""

import pytest

from core import telemetry
from core.data_plane import DATA_PLANE
from core.metrics.known import MAX_NAMES, MAX_OWN, Known
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


def test_names_of_earlier_configurations_are_known_until_there_are_too_many(known: Known) -> None:
    for number in range(2 * MAX_NAMES):
        known.learn("rule", [f"rule-{number}"])
    shown = {known.admit(telemetry.RULE_FUEL, "rule", f"rule-{number}") for number in range(2 * MAX_NAMES)}
    assert len(shown) == MAX_NAMES  # one of them `other`: the fixture's rule is not asked for
    assert known.admit(telemetry.RULE_FUEL, "rule", "guard") == "guard"


def test_values_of_our_own_have_an_end_too(known: Known) -> None:
    shown = {known.admit(telemetry.REFUSED, "reason", f"reason-{number}") for number in range(1_000_000)}
    assert len(shown) == MAX_OWN + 1
