import pytest

from core.model_names import same_model, spellings


def names(provider: str, model: str) -> list[str]:
    return [f"{name}{'' if same else ' (abilities)'}" for _, name, same in spellings(provider, model)]


def test_the_name_itself_comes_first() -> None:
    assert names("openai", " GPT-5 ")[0] == "gpt-5"


@pytest.mark.parametrize(
    ("provider", "model", "found"),
    [
        ("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("anthropic", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("anthropic", "claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("anthropic", "claude-3.5-haiku-20241022", "claude-3-5-haiku-20241022"),
        ("openai", "gpt-5-2025-08-07", "gpt-5"),
        ("gemini", "models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("openrouter", "anthropic/claude-sonnet-4-5", "anthropic/claude-sonnet-4.5"),
        ("openrouter", "qwen/qwen3-coder:nitro", "qwen/qwen3-coder (abilities)"),
        ("openrouter", "openai/gpt-5", "gpt-5 (abilities)"),
        ("ollama", "qwen3:8b-q4_K_M", "qwen3:8b (abilities)"),
        ("ollama", "gpt-oss:20b-cloud", "gpt-oss:20b (abilities)"),
    ],
)
def test_other_spellings_of_the_same_model(provider: str, model: str, found: str) -> None:
    assert found in names(provider, model)


@pytest.mark.parametrize(
    ("provider", "model", "other"),
    [
        ("openai", "gpt-4o", "gpt-4"),
        ("openai", "gpt-4-0613", "gpt-4"),
        ("openai", "gpt-5-mini", "gpt-5"),
        ("anthropic", "claude-opus-4-1", "claude-opus-4"),
        ("anthropic", "claude-opus-4-20250514", "claude-opus-4.20250514"),
        ("groq", "qwen/qwen3:free", "qwen/qwen3"),
        ("openrouter", "qwen/qwen3:8b", "qwen/qwen3"),
        ("ollama", "qwen3:8b", "qwen3"),
        ("openai", "openai/gpt-5", "gpt-5"),
    ],
)
def test_another_model_is_never_taken_for_it(provider: str, model: str, other: str) -> None:
    assert not any(name.split(" ")[0] == other for name in names(provider, model))


@pytest.mark.parametrize(
    ("names_of_one", "name"),
    [
        (("anthropic,claude-opus-4-5", "claude-opus-4-5-20251101", "anthropic/claude-opus-4.5"), "claude-opus-4-5"),
        (("openrouter,openai/gpt-5:online", "gpt-5-2025-08-07", "GPT-5"), "gpt-5"),
        (("ollama,qwen3:8b", "qwen3:8b-q4_K_M"), "qwen3:8b"),
        (("gemini,models/gemini-2.5-pro", "google/gemini-2.5-pro"), "gemini-2.5-pro"),
    ],
)
def test_one_name_whoever_offers_the_model(names_of_one: tuple[str, ...], name: str) -> None:
    assert {same_model(each) for each in names_of_one} == {name}


@pytest.mark.parametrize(("one", "other"), [("qwen3:8b", "qwen3:14b"), ("gpt-4", "gpt-4o"), ("gpt-5", "gpt-5-mini")])
def test_different_models_have_different_names(one: str, other: str) -> None:
    assert same_model(one) != same_model(other)
