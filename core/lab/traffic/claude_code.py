"""Sessions of Claude Code: turns with loops of tools, and all that the client asks beside them."""

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any, Final

from core.lab.traffic.claude_asides import Asides
from core.lab.traffic.claude_wire import ANSWER_MS, TOKEN_MS, TOOLS, Desk, Wire
from core.lab.traffic.prompts import Prompt, drawn
from core.lab.traffic.sent import Sent, Thread, name_of
from core.lab.traffic.texts import picture
from core.lab.traffic.writer import Writer

_PLAN_ON: Final = "Plan mode is active. Change nothing yet: read, ask, and then show a plan."
_PLAN_OFF: Final = "## Exited Plan Mode\n\nYou may change files again."
#: Tokens of an answer that calls a tool, and of one that ends a turn: from, up to.
CALL, ANSWER = (60, 400), (200, 1200)


class Session:
    """One session. `now_ms` is when its next request is sent (Unix time)."""

    def __init__(self, desk: Desk, random: Random, now_ms: int, name: str = "") -> None:
        self._desk, self._random, self._mix, self._texts = desk, random, desk.mix, desk.texts
        self._write = Writer(f"{random.getrandbits(64)}")
        self.now_ms, self.name = now_ms, name or name_of(random)
        high = random.random() < self._mix.high_effort
        effort = random.choice(("high", "max")) if high else random.choice(("", "", "medium", "low"))
        self._marks = ("effort",) * high
        self._wire = Wire(desk, self.name, effort, random)
        self._asides = Asides(self._wire, self._write, desk, random, self.name)
        self._epoch = 0
        self._thread = Thread(f"{self.name}/0", desk.begin)
        self._planning = False

    def play(self, prompts: Iterable[Prompt] | None = None) -> Iterator[Sent]:
        """The session's requests in their order. `prompts`: instead of random ones."""
        for number, prompt in enumerate(self._drawn() if prompts is None else prompts):
            if number:
                self.now_ms += prompt.pause_ms
            else:
                yield self._timed(self._asides.title(prompt.text))
            if prompt.aside:
                yield self._timed(self._asides.topic(prompt.text))
            yield from self._turn(prompt)
            if max(prompt.pasted, len(self._thread)) > self._mix.compact_chars:
                yield self._compaction()

    def _drawn(self) -> Iterator[Prompt]:
        for number in range(self._random.randint(1, self._mix.most_prompts)):
            yield drawn(self._random, self._mix, self._write, first=number == 0)

    def _turn(self, prompt: Prompt) -> Iterator[Sent]:
        """A prompt, then as many rounds of tools as it says, then the answer."""
        self._thread.say({"role": "user", "content": self._content(prompt)})
        self._plan(prompt)
        latest = {"image": prompt.image, "long": prompt.pasted > self._mix.compact_chars}
        for call in range(prompt.calls):
            yield self._main("tools" if call else "prompt", CALL, prompt, latest)
            if self._random.random() < self._mix.permissions:
                yield self._timed(self._asides.permission())
            if call == 0:
                yield from self._beside(prompt)
            self._use_tools(self._thread, self._random.choice((1, 1, 1, 1, 2)))
            self.now_ms += self._random.randrange(200, 20_000)
            latest["image"] = False
        yield self._main("tools" if prompt.calls else "prompt", ANSWER, prompt, latest)
        self._thread.say({"role": "assistant", "content": [self._text(self._random.randrange(200, 1600))]})

    def _beside(self, prompt: Prompt) -> Iterator[Sent]:
        """What the model's first call of tools leads to."""
        if prompt.search:
            yield self._timed(self._asides.search())
        if prompt.subagent:
            yield from self._subagent()

    def _plan(self, prompt: Prompt) -> None:
        """A message of the system's says when plan mode begins and when it ends."""
        if prompt.plan != self._planning:
            self._thread.say({"role": "system", "content": _PLAN_ON if prompt.plan else _PLAN_OFF})
        self._planning = prompt.plan

    def _content(self, prompt: Prompt) -> list[dict[str, Any]]:
        text = prompt.text
        if prompt.pasted:
            text += f"\n\n```\n{self._texts.code(self._random, prompt.pasted)}\n```"
        blocks: list[dict[str, Any]] = [{"type": "text", "text": text}]
        if self._random.random() < self._mix.reminders:
            reminder = self._texts.prose(self._random, 300)
            blocks.insert(0, {"type": "text", "text": f"<system-reminder>\n{reminder}\n</system-reminder>"})
        if prompt.image:
            data = picture(self._random)
            blocks.append({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}})
        return blocks

    def _text(self, characters: int) -> dict[str, Any]:
        return {"type": "text", "text": self._texts.prose(self._random, characters)}

    def _use_tools(self, thread: Thread, calls: int) -> None:
        """The model calls so many tools at once, and they answer."""
        random = self._random
        uses = [self._call() for _ in range(calls)]
        before = [self._text(random.randrange(40, 200))] if random.random() < 0.6 else []
        thread.say({"role": "assistant", "content": [*before, *uses]})
        sizes = [random.randrange(40, 2 * self._mix.result_chars) for _ in uses]
        results = [
            {"type": "tool_result", "tool_use_id": use["id"], "content": self._texts.code(random, size)}
            for use, size in zip(uses, sizes, strict=True)
        ]
        thread.say({"role": "user", "content": results})

    def _call(self) -> dict[str, Any]:
        name = self._random.choice(TOOLS[:7])
        asked = {"command": self._write.fill("{v} {n}")} if name == "Bash" else {"path": self._write.fill("{path}")}
        return {"type": "tool_use", "id": f"toolu_{self._random.getrandbits(96):024x}", "name": name, "input": asked}

    def _main(self, kind: str, output: tuple[int, int], prompt: Prompt, latest: dict[str, bool]) -> Sent:
        shown = [mark for mark, holds in latest.items() if holds] + ["plan"] * prompt.plan
        said = Sent(kind=kind, marks=(*shown, *self._marks), concept=prompt.concept, output=self._tokens(output))
        return self._timed(self._wire.turn(self._thread, said))

    def _subagent(self) -> Iterator[Sent]:
        """A conversation of its own, as long as it takes."""
        agent = f"a{self._random.getrandbits(60):015x}"
        thread = Thread(f"{self.name}/{agent}", self._desk.begin_searcher)
        task = self._write.fill("Find every place that may {v} the {n}. Begin in {path}.")
        thread.say({"role": "user", "content": task})
        for _ in range(self._random.randint(1, 4)):
            said = Sent(kind="subagent", marks=self._marks, output=self._tokens(CALL))
            yield self._timed(self._wire.turn(thread, said, agent))
            self._use_tools(thread, 1)

    def _compaction(self) -> Sent:
        """The history becomes a summary, and the conversation goes on from there."""
        self._thread.say({"role": "user", "content": "Write a summary of this conversation, so that it can go on."})
        sent = self._wire.turn(self._thread, Sent(kind="compaction", marks=self._marks, output=self._tokens(ANSWER)))
        self._epoch += 1
        self._thread = Thread(f"{self.name}/{self._epoch}", self._desk.begin)
        self._planning = False
        summary = self._texts.prose(self._random, 3_000)
        self._thread.say({"role": "user", "content": f"What was done so far: {summary}"})
        self._thread.say({"role": "assistant", "content": [{"type": "text", "text": "Understood."}]})
        return self._timed(sent)

    def _tokens(self, of: tuple[int, int]) -> int:
        return self._random.randrange(*of)

    def _timed(self, sent: Sent) -> Sent:
        """Sent now; the session waits for its answer."""
        sent = sent.at(self.now_ms)
        self.now_ms += ANSWER_MS + TOKEN_MS * sent.output
        return sent
