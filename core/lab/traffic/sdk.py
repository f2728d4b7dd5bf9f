"""Programs of users with a plain SDK: a few requests each, in one of three dialects, streamed or not."""

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, Final

import msgspec

from core.lab.traffic.claude_wire import ANSWER_MS, TOKEN_MS
from core.lab.traffic.mix import Mix
from core.lab.traffic.prompts import words
from core.lab.traffic.sent import Sent, Thread, name_of
from core.lab.traffic.texts import Texts, picture
from core.lab.traffic.writer import Writer

#: Tokens of an answer: from, up to.
ANSWER = (20, 700)
_ROLES: Final = ("a support desk", "an office", "a newspaper", "a shop", "a school", "a workshop")


class _Form(msgspec.Struct, frozen=True):
    """A dialect: where it is spoken, by whom, for which models, and how its parts look."""

    endpoint: str
    agent: str
    models: tuple[str, ...]
    messages: str
    limit: str
    text: Callable[[str, str], dict[str, Any]]
    image: Callable[[str], dict[str, Any]]
    tool: Callable[[str], dict[str, Any]]


def _openai_image(data: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}


def _anthropic_image(data: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


_SCHEMA: Final = {
    "type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"], "additionalProperties": False,
}  # fmt: skip
FORMS: Final[Mapping[str, _Form]] = {
    "openai": _Form(
        "/v1/chat/completions", "OpenAI/Python 2.8.1", ("gpt-5", "gpt-5-mini", "auto"), "messages",
        "max_completion_tokens", lambda _, text: {"type": "text", "text": text}, _openai_image,
        lambda name: {"type": "function", "function": {"name": name, "parameters": _SCHEMA}},
    ),
    "openai-responses": _Form(
        "/v1/responses", "OpenAI/Python 2.8.1", ("gpt-5", "gpt-5-mini", "auto"), "input", "max_output_tokens",
        lambda role, text: {"type": "output_text" if role == "assistant" else "input_text", "text": text},
        lambda data: {"type": "input_image", "image_url": f"data:image/png;base64,{data}"},
        lambda name: {"type": "function", "name": name, "parameters": _SCHEMA},
    ),
    "anthropic": _Form(
        "/v1/messages", "Anthropic/Python 0.75.0", ("claude-sonnet-4-6", "claude-haiku-4-5", "auto"), "messages",
        "max_tokens", lambda _, text: {"type": "text", "text": text}, _anthropic_image,
        lambda name: {"name": name, "input_schema": _SCHEMA},
    ),
}  # fmt: skip


class Session:
    """One run of a program. `now_ms` is when its next request is sent (Unix time)."""

    def __init__(self, key: str, random: Random, mix: Mix, texts: Texts, now_ms: int) -> None:
        self._key, self._random, self._mix, self._texts = key, random, mix, texts
        self.dialect = random.choice(tuple(FORMS))
        self._form = FORMS[self.dialect]
        self._write = Writer(f"{random.getrandbits(64)}")
        self.now_ms, self.name = now_ms, name_of(random)
        self._explicit = bool(mix.explicit) and random.random() < mix.explicit_share
        self._model = random.choice(mix.explicit if self._explicit else self._form.models)
        self._system = f"You answer for {random.choice(_ROLES)}. {texts.prose(random, random.randrange(100, 900))}"
        self._stream = random.random() < 0.6
        self._tools = [self._form.tool(name) for name in ("find_order", "find_customer")[: random.choice((0, 0, 1, 2))]]
        self._thread = Thread(f"{self.name}/0", (f"{self.name} system", len(self._system) // 4))

    def play(self) -> Iterator[Sent]:
        """The program's requests in their order."""
        if self.dialect == "openai":
            self._thread.say({"role": "system", "content": self._system})
        for number in range(self._random.choice((1, 1, 2, 3, 5))):
            self.now_ms += self._random.randrange(500, 90_000) if number else 0
            text, concept = words(self._random, self._mix, self._write, first=number == 0)
            image = self._random.random() < self._mix.images
            self._thread.say(self._said("user", text, image=image))
            yield self._sent(concept, image=image)
            self._thread.say(
                self._said("assistant", self._texts.prose(self._random, self._random.randrange(80, 1_500)))
            )

    def _said(self, role: str, text: str, *, image: bool = False) -> dict[str, Any]:
        parts = [self._form.text(role, text)]
        if image:
            parts.append(self._form.image(picture(self._random)))
        return {"role": role, "content": parts if image or self.dialect == "openai-responses" else text}

    def _sent(self, concept: str, *, image: bool) -> Sent:
        form = self._form
        body: dict[str, Any] = {"model": self._model, form.limit: 2_048, "stream": self._stream}
        if self.dialect == "openai" and self._stream:
            body["stream_options"] = {"include_usage": True}
        if self.dialect != "openai":
            body["system" if self.dialect == "anthropic" else "instructions"] = self._system
        if self._tools:
            body["tools"] = self._tools
        body[form.messages] = msgspec.Raw(self._thread.messages())
        headers = {"content-type": "application/json", "user-agent": form.agent}
        if self.dialect == "anthropic":
            headers["anthropic-version"] = "2023-06-01"
        sent = Sent(
            endpoint=form.endpoint,
            headers=headers,
            body=msgspec.json.encode(body),
            at_ms=self.now_ms,
            client_key=self._key,
            session=self.name,
            kind="chat",
            marks=("image",) * image + ("explicit",) * self._explicit,
            concept=concept,
            prompt=tuple(self._thread.pieces),
            output=self._random.randrange(*ANSWER),
        )
        self.now_ms += ANSWER_MS + TOKEN_MS * sent.output
        return sent
