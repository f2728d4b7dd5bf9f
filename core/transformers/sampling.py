"""`sampling`: the operator's sampling parameters instead of the client's."""

from typing import Annotated

from msgspec import Meta

from core.transformers.base import ANTHROPIC, GEMINI, OLLAMA, OPENAI, RESPONSES, Facts, Options, Transformer
from core.transformers.body import Body, Path
from core.transformers.wire import cap

#: Where each dialect has them; it has no others.
_PATHS: dict[str, dict[str, Path]] = {
    ANTHROPIC: {name: (name,) for name in ("temperature", "top_p", "top_k")},
    OPENAI: {name: (name,) for name in ("temperature", "top_p", "top_k", "repetition_penalty")},
    RESPONSES: {name: (name,) for name in ("temperature", "top_p")},
    GEMINI: {
        "temperature": ("generationConfig", "temperature"),
        "top_p": ("generationConfig", "topP"),
        "top_k": ("generationConfig", "topK"),
    },
    OLLAMA: {
        "temperature": ("options", "temperature"),
        "top_p": ("options", "top_p"),
        "top_k": ("options", "top_k"),
        "repetition_penalty": ("options", "repeat_penalty"),
    },
}


class Sampling(Options, frozen=True):
    """All but `max_tokens`, a limit, take the place of what the client sent."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    repetition_penalty: Annotated[float, Meta(gt=0)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None


def _given(options: Sampling) -> dict[str, float]:
    names = ("temperature", "top_p", "top_k", "repetition_penalty")
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def _request(body: Body, options: Sampling, facts: Facts) -> None:
    paths = _PATHS[facts.dialect]
    # Anthropic takes none of them beside thinking ("Extended thinking", feature compatibility).
    if facts.dialect != ANTHROPIC or body.get("thinking", "type") in {None, "disabled"}:
        for name, value in _given(options).items():
            body.set(value, *paths[name])
    if options.max_tokens:
        cap(body, facts, options.max_tokens)


def _wrong(options: Sampling, dialect: str) -> str:
    unknown = [name for name in _given(options) if name not in _PATHS[dialect]]
    if unknown:
        return f"sampling: the dialect {dialect} has no {', '.join(unknown)}"
    if options == Sampling():
        return "sampling: give at least one of " + ", ".join(Sampling.__struct_fields__)
    return ""


TRANSFORMER = Transformer(
    "sampling",
    "Forces temperature, top_p, top_k and repetition_penalty; lowers max_tokens.",
    options=Sampling,
    request=_request,
    wrong=_wrong,
)
