"""Sessions of Codex (0.169, as observed on the wire): the Responses API, its history sent whole with each request."""

from collections.abc import Iterator
from random import Random
from typing import Any, Final

import msgspec

from core.lab.traffic.claude_wire import ANSWER_MS, TOKEN_MS
from core.lab.traffic.mix import Mix
from core.lab.traffic.prompts import Prompt, drawn
from core.lab.traffic.sent import BYTES_A_TOKEN, Sent, Thread, name_of
from core.lab.traffic.texts import Texts, picture
from core.lab.traffic.writer import Writer

MODEL: Final = "gpt-5-codex"
ENDPOINT: Final = "/v1/responses"
#: Tokens of an answer that calls a tool, and of one that ends a turn: from, up to.
CALL, ANSWER = (40, 300), (150, 900)


class Workbench:
    """What stays the same from session to session of one user."""

    def __init__(self, name: str, key: str, random: Random, mix: Mix, texts: Texts) -> None:
        self.key, self.mix, self.texts = key, mix, texts
        self.instructions = texts.prose(random, mix.system_chars)
        inner = [_function(name, texts.prose(random, mix.tool_chars)) for name in ("list_issues", "add_comment")]
        tools: list[dict[str, Any]] = [
            _function("exec_command", texts.prose(random, mix.tool_chars)),
            _function("update_plan", texts.prose(random, mix.tool_chars)),
            {"type": "namespace", "name": "mcp__tracker__", "description": "The issues.", "tools": inner},
            {"type": "web_search", "external_web_access": False},
        ]
        self.tools = msgspec.json.encode(tools)
        self.begin = (f"{name} tools, instructions", (len(self.instructions) + len(self.tools)) // BYTES_A_TOKEN)


class Session:
    """One session. `now_ms` is when its next request is sent (Unix time)."""

    def __init__(self, bench: Workbench, random: Random, now_ms: int) -> None:
        self._bench, self._random, self._mix, self._texts = bench, random, bench.mix, bench.texts
        self._write = Writer(f"{random.getrandbits(64)}")
        self.now_ms, self.name = now_ms, name_of(random)
        high = random.random() < self._mix.high_effort
        self._effort = random.choice(("high", "xhigh")) if high else "medium"
        self._marks = ("effort",) * high
        self._thread = Thread(f"{self.name}/0", bench.begin)

    def play(self) -> Iterator[Sent]:
        """The session's requests in their order."""
        self._thread.say(_said("developer", "You may change files in this folder. Ask before you use the network."))
        self._thread.say(_said("user", "<environment_context>\n  <shell>bash</shell>\n</environment_context>"))
        for number in range(self._random.randint(1, self._mix.most_prompts)):
            prompt = drawn(self._random, self._mix, self._write, first=number == 0)
            self.now_ms += prompt.pause_ms if number else 0
            yield from self._turn(prompt)
            if max(prompt.pasted, len(self._thread)) > self._mix.compact_chars:
                self._shorten(number)

    def _turn(self, prompt: Prompt) -> Iterator[Sent]:
        text = prompt.text
        if prompt.pasted:
            text += f"\n\n```\n{self._texts.code(self._random, prompt.pasted)}\n```"
        self._thread.say(_said("user", text, image=picture(self._random) if prompt.image else ""))
        latest = {"image": prompt.image, "long": prompt.pasted > self._mix.compact_chars}
        for call in range(prompt.calls):
            yield self._sent("tools" if call else "prompt", CALL, prompt, latest)
            self._use_tool()
            latest["image"] = False
        yield self._sent("tools" if prompt.calls else "prompt", ANSWER, prompt, latest)
        self._thread.say(_said("assistant", self._texts.prose(self._random, self._random.randrange(200, 1_200))))

    def _use_tool(self) -> None:
        random = self._random
        call, sealed = f"call_{random.getrandbits(96):024x}", f"{random.getrandbits(1200):0300x}"
        if random.random() < 0.5:
            self._thread.say({"type": "reasoning", "summary": [], "encrypted_content": sealed})
        command = msgspec.json.encode({"command": ["bash", "-lc", self._write.fill("{v} {path}")]}).decode()
        self._thread.say({"type": "function_call", "name": "exec_command", "arguments": command, "call_id": call})
        output = self._texts.code(random, random.randrange(40, 2 * self._mix.result_chars))
        self._thread.say({"type": "function_call_output", "call_id": call, "output": output})
        self.now_ms += random.randrange(200, 20_000)

    def _shorten(self, number: int) -> None:
        """A new history that begins with a summary; Codex makes it without a request of a form of its own."""
        self._thread = Thread(f"{self.name}/{number + 1}", self._bench.begin)
        self._thread.say(_said("user", "What was done so far: " + self._texts.prose(self._random, 3_000)))

    def _sent(self, kind: str, output: tuple[int, int], prompt: Prompt, latest: dict[str, bool]) -> Sent:
        body = {
            "model": MODEL,
            "instructions": self._bench.instructions,
            "input": msgspec.Raw(self._thread.messages()),
            "tools": msgspec.Raw(self._bench.tools),
            "tool_choice": "auto",
            "parallel_tool_calls": True,
            "reasoning": {"effort": self._effort, "summary": "auto"},
            "store": False,
            "stream": True,
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": self.name,
            "client_metadata": {"session_id": self.name},
        }
        headers = {
            "content-type": "application/json",
            "user-agent": "codex_cli_rs/0.169.0 (Debian 12; x86_64)",
            "originator": "codex_cli_rs",
            "session_id": self.name,
        }
        sent = Sent(
            endpoint=ENDPOINT,
            headers=headers,
            body=msgspec.json.encode(body),
            at_ms=self.now_ms,
            client_key=self._bench.key,
            session=self.name,
            kind=kind,
            marks=(*(mark for mark, holds in latest.items() if holds), *self._marks),
            concept=prompt.concept,
            prompt=tuple(self._thread.pieces),
            output=self._random.randrange(*output),
        )
        self.now_ms += ANSWER_MS + TOKEN_MS * sent.output
        return sent


def _said(role: str, text: str, image: str = "") -> dict[str, Any]:
    parts = [{"type": "output_text" if role == "assistant" else "input_text", "text": text}]
    if image:
        parts.append({"type": "input_image", "image_url": f"data:image/png;base64,{image}"})
    return {"type": "message", "role": role, "content": parts}


def _function(name: str, description: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"command": {"type": "array", "items": {"type": "string"}}}}
    return {"type": "function", "name": name, "description": description, "strict": False, "parameters": parameters}
