"""One session of a coding agent, as Claude Code sends it: 30 turns, and what it asks beside them.

A turn is a request of the main conversation: a prompt of the human's, or the results of the tools that were called. One
turn brings an image, one is long (after it the conversation is compacted), one prompt is in plan mode. Beside them go
a title, permission checks, a subagent and the compaction. Texts are made from a seed.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from bench.corpus import Writer

#: Seconds from a request to the next: with results of tools, and with a prompt.
TOOLS_S: Final = 20
PROMPT_S: Final = 60
#: Tokens of an answer that calls a tool, of one that ends a turn, and of a word or two.
CALL_TOKENS, ANSWER_TOKENS, WORD_TOKENS = 150, 500, 10
TURNS: Final = 30
START_MS: Final = 1_763_800_000_000
SESSION = "5e55105e-0000-4000-8000-000000000006"
PIXEL = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"}


class Ask(Struct, frozen=True):
    """One request. `parts` are the names of what its prompt is made of: a longer one begins like a shorter one."""

    body: bytes
    headers: dict[str, str]
    at_ms: int
    output: int
    parts: tuple[str, ...]
    main: bool = False


class Prompt(Struct, frozen=True):
    """What the human says, and how often tools are called for it."""

    text: str
    loops: int
    pause_s: int = PROMPT_S
    image: bool = False
    plan: bool = False
    pasted: int = 0
    subagent: bool = False


#: The words of the third, fifth, eighth and ninth are the bundled taxonomy's.
PROMPTS = (
    Prompt("Why does the import of large files fail? Look into it.", 4),
    Prompt("Good. Make a detailed plan first, and show it to me.", 2, plan=True),
    Prompt("Go ahead.", 5, subagent=True),
    Prompt("The page looks like this now. Mend the layout.", 1, image=True),
    Prompt("Please give me a thorough review of what you changed.", 2),
    Prompt("It still fails. This is the whole log:", 0, pasted=280_000),
    Prompt("Repair that, and run the tests again.", 4),
    Prompt("I need a second opinion on the way the cache is filled.", 1),
    Prompt("Write the entry for the list of changes, and keep it cheap.", 1, pause_s=400),
    Prompt("Thank you. Sum up what was done.", 0),
)


class _Agent:
    def __init__(self) -> None:
        self._write = Writer(6)
        self._now_ms = START_MS
        self._system = [{"type": "text", "text": self._write.prose(24_000), "cache_control": {"type": "ephemeral"}}]
        self._tools = [self._tool(number) for number in range(14)]
        self._messages: list[dict[str, Any]] = []
        self._parts = ["system"]
        self._number = 0

    def play(self) -> Iterator[Ask]:
        yield self._title()
        for prompt in PROMPTS:
            yield from self._prompt(prompt)
            if prompt.pasted:
                yield self._compaction()

    def _prompt(self, prompt: Prompt) -> Iterator[Ask]:
        self._now_ms += prompt.pause_s * 1000
        content: list[dict[str, Any]] = [{"type": "text", "text": prompt.text + self._write.code(prompt.pasted)}]
        if prompt.image:
            content.append({"type": "image", "source": PIXEL})
        self._say("user", content)
        for loop in range(prompt.loops):
            yield self._main(CALL_TOKENS, plan=prompt.plan)
            yield self._permission()
            if prompt.subagent and loop == 1:
                yield from self._subagent()
            self._tool_turn()
        yield self._main(ANSWER_TOKENS, plan=prompt.plan)
        self._say("assistant", [{"type": "text", "text": self._write.text(4 * ANSWER_TOKENS)}])

    def _tool_turn(self) -> None:
        self._now_ms += TOOLS_S * 1000
        name = f"toolu_{len(self._messages):04}"
        use = {"type": "tool_use", "id": name, "name": "Tool0", "input": {"path": self._write.word()}}
        self._say("assistant", [{"type": "text", "text": self._write.prose(300)}, use])
        self._say("user", [{"type": "tool_result", "tool_use_id": name, "content": self._write.code(6_000)}])

    def _say(self, role: str, content: list[dict[str, Any]]) -> None:
        self._number += 1
        self._messages.append({"role": role, "content": content})
        self._parts.append(f"{role} {self._number}")

    def _main(self, output: int, *, plan: bool) -> Ask:
        body = self._body(self._messages, thinking={"type": "adaptive"})
        if plan:
            body["safeguards"] = [{"classifier_context": {"permission_mode": "plan"}}]
        return self._ask(body, "main", output, tuple(self._parts), main=True)

    def _title(self) -> Ask:
        format_ = {"type": "json_schema", "schema": {"type": "object", "properties": {"title": {"type": "string"}}}}
        said = [{"role": "user", "content": self._write.prose(3_000)}]
        body = self._body(said, tools=[], system=[], output_config={"format": format_})
        return self._ask(body, "auxiliary", WORD_TOKENS, ("title",))

    def _permission(self) -> Ask:
        said = [{"role": "user", "content": self._write.prose(8_000)}]
        body = self._body(said, tools=[], system=[], max_tokens=64, stop_sequences=["</block>"], stream=False)
        self._number += 1
        return self._ask(body, "auxiliary", WORD_TOKENS, (f"permission {self._number}",))

    def _subagent(self) -> Iterator[Ask]:
        said, parts = [{"role": "user", "content": self._write.prose(2_000)}], ["subagent system", "task"]
        for step in range(3):
            system = [{"type": "text", "text": "You search. " + "Read, then tell. " * 800}]
            yield self._ask(
                self._body(said, system=system), "subagent", CALL_TOKENS, tuple(parts), {"x-claude-code-agent-id": "a1"}
            )
            said = [*said, {"role": "assistant", "content": "Reading on."}]
            said = [*said, {"role": "user", "content": self._write.code(3_000)}]
            parts.append(f"step {step}")

    def _compaction(self) -> Ask:
        """The history becomes a summary."""
        said = [*self._messages, {"role": "user", "content": "Write a summary of this conversation."}]
        ask = self._ask(self._body(said), "compaction", ANSWER_TOKENS, (*self._parts, "summary"))
        self._messages, self._parts = [], ["system"]
        self._say("user", [{"type": "text", "text": "What was done so far: " + self._write.prose(6_000)}])
        self._say("assistant", [{"type": "text", "text": "Understood."}])
        return ask

    def _body(self, messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        body = {"model": "claude-sonnet-4-6", "max_tokens": 32_000, "stream": True}
        return {**body, "system": self._system, "tools": self._tools, "messages": messages, **more}

    def _ask(
        self,
        body: dict[str, Any],
        kind: str,
        output: int,
        parts: tuple[str, ...],
        headers: dict[str, str] | None = None,
        *,
        main: bool = False,
    ) -> Ask:
        sent = {"user-agent": "claude-cli/2.1.330", "x-claude-code-session-id": SESSION}
        sent |= {"x-claude-code-request-class": kind, **(headers or {})}
        return Ask(msgspec.json.encode(body), sent, self._now_ms, output, parts, main)

    def _tool(self, number: int) -> dict[str, Any]:
        schema = {"type": "object", "properties": {"path": {"type": "string"}}}
        return {"name": f"Tool{number}", "description": self._write.prose(700), "input_schema": schema}


def session() -> list[Ask]:
    """The requests in their order."""
    return list(_Agent().play())
