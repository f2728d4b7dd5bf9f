"""A fake provider on a real socket: records what it is sent, answers what it is told to (`upstream_script`).

    upstream.script(Step(status=529), Step(text="hello"))     # or a directive in the prompt
    … anything that speaks HTTP to upstream.url …
    assert upstream.requests[0].headers["x-api-key"] == "k"

It answers `/v1/messages`, `/v1/messages/count_tokens`, `/v1/chat/completions`, `/v1/responses`, `/api/chat` (Ollama),
Gemini's paths and `/v1/models`, below any prefix.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from upstream_gemini import Gemini
from upstream_http import Broken, Recorded, chunk, head, read_request, send_json
from upstream_ollama import Ollama
from upstream_quirks import Groq, OpenRouter
from upstream_responses import OpenAIResponses
from upstream_script import Script, Step
from upstream_wire import Anthropic, Json, OpenAIChat, Part, Wire

from strict import Validator

WIRES: tuple[tuple[str, Wire], ...] = (
    ("/openrouter/chat/completions", OpenRouter()),
    ("/groq/chat/completions", Groq()),
    ("/chat/completions", OpenAIChat()),
    ("/messages", Anthropic()),
    ("enerateContent", Gemini()),
    ("/responses", OpenAIResponses()),
    ("/api/chat", Ollama()),
)
MODELS = ("claude-sonnet-4-5", "gpt-5.1")
THREADLESS = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
#: A hang, not a duration that anything is measured by.
HANG_S = 10.0
#: Turns of asyncio's loop that accepting or aborting a connection takes, and some.
TURNS = 8


@dataclass
class Upstream:
    """The server, in a thread with a loop of its own."""

    requests: list[Recorded] = field(default_factory=list)
    #: What a real provider would refuse (`strict`); None takes anything.
    judge: Validator | None = None
    #: Why it refused.
    refused: list[str] = field(default_factory=list)
    port: int = 0
    _script: Script = field(default_factory=Script)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def script(self, *steps: Step) -> None:
        """Answer the next requests so; these come before any directive."""
        self._script.add(*steps)

    def unscript(self) -> None:
        """Forget the steps that were not answered with yet."""
        self._script.clear()

    def wait_for(self, condition: Callable[[list[Recorded]], bool]) -> None:
        """Return when the records fulfil `condition`; AssertionError after `HANG_S`."""
        end = time.monotonic() + HANG_S
        while not condition(self.requests):
            if time.monotonic() > end:
                raise AssertionError(f"never came true; {len(self.requests)} requests: {self.requests[-3:]}")
            time.sleep(0.005)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: requests until it closes."""
        first = b""
        try:
            while recorded := await read_request(reader, first):
                self.requests.append(recorded)
                watch = asyncio.ensure_future(reader.read(1))
                if not await self._answer_unless_left(recorded, writer, watch):
                    break
                first = await watch
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def _answer_unless_left(self, recorded: Recorded, writer: asyncio.StreamWriter, watch: Any) -> bool:
        """Whether the connection can be used again. `watch` ends when the client closes its side."""
        answer = asyncio.ensure_future(self._answer(recorded, writer))
        try:
            await asyncio.wait({answer, watch}, return_when=asyncio.FIRST_COMPLETED)
            recorded.left_early = not answer.done()
            if answer.done():
                answer.result()
                recorded.answered = True
        except Broken:
            return False
        except OSError:
            recorded.left_early = True
        finally:
            answer.cancel()
            if not recorded.answered:
                watch.cancel()
        return recorded.answered

    async def _answer(self, recorded: Recorded, writer: asyncio.StreamWriter) -> None:
        path = recorded.path.partition("?")[0]
        wire = next((wire for end, wire in WIRES if path.endswith(end)), None)
        if recorded.method == "POST" and wire:
            await self._play(wire, recorded, writer)
        else:
            status, value = other(recorded, path)
            await send_json(writer, status, value, head_only=recorded.method == "HEAD")

    async def _play(self, wire: Wire, recorded: Recorded, writer: asyncio.StreamWriter) -> None:
        try:
            sent = msgspec.json.decode(recorded.body, type=dict[str, Any])
            body = checked(wire, wire.asked(recorded.path, sent))
            self._judge(recorded, sent)
            step = self._script.pick(body["messages"])
        except ValueError as error:
            await send_json(writer, 400, wire.error(400, "", str(error)))
            return
        if "thread" in body:
            refusal = wire.error(400, "", "threads are not kept here")
            refusal["error"]["details"] = THREADLESS
            await send_json(writer, 400, refusal)
            return
        await asyncio.sleep(step.delay)
        await play(wire, step, body, len(recorded.body), writer)

    def _judge(self, recorded: Recorded, body: Json) -> None:
        """ValueError with the first problem."""
        if self.judge and (problems := self.judge(recorded.path, recorded.headers, body)):
            self.refused += problems
            raise ValueError(problems[0])


async def play(wire: Wire, step: Step, body: Json, size: int, writer: asyncio.StreamWriter) -> None:
    """Answer with a step. Broken where its fault is a cut."""
    headers = {"request-id": "req_fake"} | step.headers
    if step.retry_after is not None:
        headers["retry-after"] = f"{step.retry_after:g}"
    if step.status:
        await send_json(writer, step.status, wire.error(step.status, step.error_type, step.message), headers)
    elif body.get("stream"):
        await stream(wire, step, body, size, writer, headers)
    else:
        if step.fault == "stall":
            await asyncio.sleep(step.stall_s)
        await send_json(writer, 200, wire.whole(step, body, size), headers, cut=step.fault == "disconnect")


async def stream(
    wire: Wire, step: Step, body: Json, size: int, writer: asyncio.StreamWriter, headers: dict[str, str]
) -> None:
    """Send the frames of a step, each as an HTTP chunk, up to its fault."""
    writer.write(head(200, {"content-type": wire.stream_type, "transfer-encoding": "chunked"} | headers))
    if step.fault == "overloaded_sse":
        writer.write(chunk(wire.error_frame("overloaded_error", "Overloaded")) + chunk(b""))
        return
    deltas, fault_due = 0, bool(step.fault)
    for frame in wire.frames(step, body, size):
        deltas += frame.part is Part.DELTA
        if frame.part is Part.DELTA:
            await asyncio.sleep(step.chunk_delay)
        if fault_due and (deltas > step.after or frame.part is Part.END):
            fault_due = False
            if await fault(wire, step, writer):
                return
        writer.write(chunk(frame.data))
        await writer.drain()
    writer.write(chunk(b""))
    await writer.drain()


async def fault(wire: Wire, step: Step, writer: asyncio.StreamWriter) -> bool:
    """What goes wrong in the middle of a stream; whether the stream ends with it."""
    await writer.drain()
    if step.fault == "stall":
        await asyncio.sleep(step.stall_s)
        return False
    if step.fault == "disconnect":
        raise Broken
    if step.fault == "midstream_error":
        writer.write(chunk(wire.error_frame(step.error_type, step.message)))
    writer.write(chunk(b""))
    await writer.drain()
    return True


def checked(wire: Wire, body: Json) -> Json:
    """The body if a provider would take it; ValueError says what is missing."""
    if not isinstance(body.get("model"), str):
        raise ValueError("model: Field required")
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise ValueError("messages: at least one message is required")
    if isinstance(wire, Anthropic) and not isinstance(body.get("max_tokens"), int):
        raise ValueError("max_tokens: Field required")
    return body


def other(recorded: Recorded, path: str) -> tuple[int, Json]:
    """Everything that is not an answer of the model."""
    if recorded.method == "HEAD" and path == "/":
        return 200, {}
    if recorded.method == "POST" and path.endswith("/messages/count_tokens"):
        return 200, {"input_tokens": len(recorded.body) // 4}
    if recorded.method == "GET" and path.endswith("/models"):
        return 200, {"object": "list", "data": list(map(model, MODELS)), "has_more": False}
    name = path.rpartition("/models/")[2]
    if recorded.method == "GET" and name in MODELS:
        return 200, model(name)
    return 404, Anthropic().error(404, "", f"{recorded.method} {path} is not served here")


def model(name: str) -> Json:
    """A model, as both dialects' clients read it."""
    created = {"created": 1_763_800_000, "created_at": "2025-11-22T00:00:00Z"}
    return {"id": name, "type": "model", "object": "model", "display_name": name, "owned_by": "fake"} | created


@contextlib.contextmanager
def running() -> Iterator[Upstream]:
    """A fake provider on a port that the system chooses."""
    upstream = Upstream()
    loop = upstream._loop
    thread = threading.Thread(target=loop.run_forever, name="fake upstream")
    thread.start()
    # In that thread: the test's own may run a loop already, as Playwright's does.
    starting = asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result(HANG_S)
    upstream.port = server.sockets[0].getsockname()[1]

    async def close() -> None:
        # asyncio loses the socket of a connection that it is accepting while its server closes, and a task that is
        # cancelled before its first step never runs its `finally`: let both happen first.
        for _ in range(TURNS):
            await asyncio.sleep(0)
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(TURNS):
            await asyncio.sleep(0)

    try:
        yield upstream
    finally:
        asyncio.run_coroutine_threadsafe(close(), loop).result(HANG_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(HANG_S)
        loop.close()
