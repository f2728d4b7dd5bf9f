"""The validators of the dialects that have one, as one."""

from collections.abc import Mapping
from types import ModuleType

from strict import Json, anthropic, deepseek, gemini, groq, ollama, openai, openai_responses, openrouter

#: Those of one provider before those of its dialect.
MODULES: tuple[ModuleType, ...] = (deepseek, groq, openrouter, anthropic, gemini, ollama, openai, openai_responses)


def judge(path: str, headers: Mapping[str, str], body: Json) -> list[str]:
    """By the path; what no module knows is not judged."""
    for module in MODULES:
        if module.PATH in path:
            found: list[str] = module.problems(path, headers, body)
            return found
    return []
