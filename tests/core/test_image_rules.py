import pytest

from core.image_rules import RULES, rule_of


@pytest.mark.parametrize(
    ("model", "size", "tokens"),
    [
        ("claude-sonnet-4-5", (200, 200), 64),
        ("claude-sonnet-4-5", (1000, 1000), 1296),
        ("claude-sonnet-4-5", (1092, 1092), 1521),
        ("claude-opus-4-7", (1000, 1000), 1296),
        ("gpt-4o", (1024, 1024), 765),  # this and the next: OpenAI's own examples
        ("gpt-4o", (2048, 4096), 1105),
        ("gpt-4.1-mini", (1024, 1024), 1659),
        ("gpt-5-mini", (1024, 1024), 1229),
        ("gpt-5", (1024, 1024), 70 + 4 * 140),
        ("gpt-5.4", (1600, 1600), 3000),
        ("o3", (512, 512), 225),
        ("o4-mini", (32, 32), 2),
        ("gemini-2.5-pro", (300, 384), 258),
        ("gemini-2.5-pro", (960, 540), 6 * 258),
        ("gemini-3-flash-preview", (4000, 10), 1120),
        ("qwen3-vl", (200, 200), 64),
    ],
)
def test_each_family_has_its_rule(model: str, size: tuple[int, int], tokens: int) -> None:
    assert rule_of(model).tokens(*size) == tokens


@pytest.mark.parametrize(("model", "edge", "most"), [("claude-opus-4-5", 1568, 1568), ("claude-opus-4-7", 2576, 4784)])
def test_a_large_image_is_scaled_to_what_the_model_sees(model: str, edge: int, most: int) -> None:
    rule = rule_of(model)
    assert most * 0.93 < rule.tokens(8000, 6000) <= most
    assert rule.tokens(8000, 28) == -(-edge // 28)


@pytest.mark.parametrize(
    ("one", "other"),
    [("gpt-4o-mini", "gpt-4o"), ("gpt-4.1-mini", "gpt-4.1"), ("gpt-5-mini", "gpt-5"), ("o1", "o4-mini")],
)
def test_a_small_model_is_not_taken_for_its_large_one(one: str, other: str) -> None:
    assert rule_of(one) is not rule_of(other)


def test_the_rule_is_the_models_whoever_offers_it() -> None:
    for name in ("openrouter,openai/gpt-4o", "openai/gpt-4o:online", "gpt-4o-2024-08-06"):
        assert rule_of(name) is rule_of("gpt-4o")


@pytest.mark.parametrize("rule", [rule for _, rule in RULES])
def test_no_image_costs_more_than_the_most_nor_nothing(rule: object) -> None:
    assert isinstance(rule, tuple)
    tokens, most = rule
    sizes = [1, 2, 27, 28, 29, 100, 383, 385, 511, 513, 768, 1024, 1568, 2048, 2576, 4096, 8000]
    for width in sizes:
        for height in sizes:
            if 1 / 3 <= width / height <= 3:
                assert 1 <= tokens(width, height) <= most
