"""The validators of the dialects that have one, as one."""

from collections.abc import Mapping
from types import ModuleType

from strict import Json, anthropic, gemini, ollama, openai

MODULES: tuple[ModuleType, ...] = (anthropic, gemini, ollama, openai)


def judge(path: str, headers: Mapping[str, str], body: Json) -> list[str]:
    """By the path; what no module knows is not judged."""
    for module in MODULES:
        if module.PATH in path:
            found: list[str] = module.problems(path, headers, body)
            return found
    return []
