"""How wrong the token counts are, before and after they have learned from usage.

A fixed corpus of conversations is counted by the proxy and by the models' own tokenizers (`token_truth`). The error of
a count is |count − truth| / truth. Then the proxy is told the truth of the first half, as providers tell it with each
answer, and the second half is counted again with what it learned; and once more from reports of which every third
leaves out half of the prompt, as some do for what they had cached.
"""

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from bench import token_truth
from bench.row import Row, number
from bench.stats import percentile
from core.calibration import Calibration, corrected, factor_of
from core.dialects import CLIENTS
from core.lab.traffic.writer import Writer
from core.messages import Usage
from core.tokens import TokenCounter
from core.vocab import TiktokenCounter, text_counter

CONVERSATIONS = 60
#: Characters of a text, by turns: short words of a chat and pasted files.
SIZES = (300, 2500, 600, 8000)
#: Texts in other languages than the corpus's English: written for this bench.
LANGUAGES = (
    "Der Dienst antwortet nicht mehr, sobald die Warteschlange voll ist; wir müssen die Grenze früher prüfen. ",
    "サーバーが応答しなくなった場合は、接続を閉じてからもう一度試してください。ログも確認します。",
    "当队列已满时，服务会停止响应；请检查配置文件中的限制并重新启动进程。",
    "Когда очередь заполнена, служба перестаёт отвечать: проверьте предел в настройках и запустите её снова. ",
    "عندما تمتلئ قائمة الانتظار تتوقف الخدمة عن الرد، لذلك يجب فحص الحد في الإعدادات. ",
)
SUITE = f"Token counts: error against the models' own tokenizers, {CONVERSATIONS // 2} conversations each"
#: Of whom there is no truth here, and who needs none.
NOTE = "no truth here: Claude, Gemini, Grok, OpenAI's framing"


def rows() -> Iterator[Row]:
    """One row a model and state, and what there is no truth for."""
    yield _openai()
    for model in (*token_truth.PACKAGES, token_truth.SMOL):
        for tools in (False, True) if model in token_truth.WITH_TOOLS else (False,):
            bodies = corpus(tools=tools)
            name = f"{model}{', with tools' if tools else ''}"
            try:
                truth = token_truth.counts(model, bodies)
            except token_truth.NotHereError as exc:
                yield Row(suite=SUITE, name=f"{name}: SKIPPED", value=0, unit="", note=f"no truth here: {exc}")
                continue
            yield from _learning(name, model, bodies, truth)


def corpus(*, tools: bool) -> list[dict[str, Any]]:
    """Chat bodies: prose, code, other languages; one to five turns; with tools also their calls and results."""
    random, writer = Random(5), Writer(5)  # noqa: S311 (a corpus, no secret)
    return [_conversation(number, random, writer, tools=tools) for number in range(CONVERSATIONS)]


def _conversation(number: int, random: Random, writer: Writer, *, tools: bool) -> dict[str, Any]:
    def text() -> str:
        size = random.choice(SIZES)
        if number % 5 == 4:
            sentence = random.choice(LANGUAGES)
            return sentence * (size // len(sentence) // 2 + 1)
        return (writer.prose, writer.code, writer.text)[number % 3](size)

    messages: list[dict[str, Any]] = [{"role": "system", "content": writer.prose(1200)}]
    for turn in range(1 + number % 5):
        messages.append({"role": "user", "content": text()})
        if tools and turn % 2:
            arguments = json.dumps({"path": writer.word(), "lines": random.randrange(1000)})
            call = {"id": "call_1", "type": "function", "function": {"name": "read_file", "arguments": arguments}}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": "call_1", "content": writer.code(800)})
        messages.append({"role": "assistant", "content": writer.prose(400)})
    messages.append({"role": "user", "content": "Go on."})
    body: dict[str, Any] = {"model": "m", "messages": messages}
    return body | {"tools": [_tool(index, writer) for index in range(8)]} if tools else body


def _tool(index: int, writer: Writer) -> dict[str, Any]:
    properties = {writer.word(): {"type": "string", "description": writer.prose(80)} for _ in range(4)}
    parameters = {"type": "object", "properties": properties, "required": [next(iter(properties))]}
    name = f"{writer.word()}_{index}"
    return {"type": "function", "function": {"name": name, "description": writer.prose(300), "parameters": parameters}}


def _learning(name: str, model: str, bodies: list[dict[str, Any]], truth: Sequence[int]) -> Iterator[Row]:
    counter, decode = TokenCounter(), CLIENTS["openai"].decode_request
    counted = [counter.count(decode(json.dumps({**body, "model": model}).encode())) for body in bodies]
    half = len(bodies) // 2
    honest, cached = Calibration(), Calibration()
    for place, (ours, theirs) in enumerate(zip(counted[:half], truth[:half], strict=True)):
        honest.learn(model, ours, Usage(input=theirs))
        cached.learn(model, ours, Usage(input=theirs // 2 if place % 3 == 2 else theirs))
    states = {"": {}, ", learned": honest.factors, ", learned, a third halved": cached.factors}
    for state, factors in states.items():
        by = factor_of(factors, model)
        found = [corrected(count, by) for count in counted[half:]]
        yield _row(f"{name}{state}", found, truth[half:], f"factor {by:.3f}")


def _row(name: str, counted: Sequence[int], truth: Sequence[int], note: str) -> Row:
    errors = [100 * abs(ours - theirs) / theirs for ours, theirs in zip(counted, truth, strict=True)]
    p50, p95 = percentile(errors, 50), percentile(errors, 95)
    return Row(
        suite=SUITE, name=name, value=p50, unit="% p50", note=f"p95 {number(p95)} %, {note}",
        figures={"p95_percent": p95, "tokens": sum(truth)},
    )  # fmt: skip


def _openai() -> Row:
    """OpenAI's text: what counts here against tiktoken itself."""
    texts = [message["content"] for body in corpus(tools=False) for message in body["messages"]]
    ours = text_counter("o200k_base").count(texts)
    return _row("gpt-4o and later, text alone", ours, TiktokenCounter("o200k_base").count(texts), NOTE)
