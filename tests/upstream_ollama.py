"""How the fake provider writes a step in Ollama's dialect: `/api/chat`, whole and in lines."""

from collections.abc import Iterator

from upstream_script import Step
from upstream_wire import FINISH, Frame, Json, Part, encode, input_tokens, output_tokens, pieces


class Ollama:
    """Calls have no ids, as older servers send them."""

    stream_type = "application/x-ndjson"

    def asked(self, path: str, body: Json) -> Json:
        return body

    def whole(self, step: Step, body: Json, size: int) -> Json:
        message: Json = {"role": "assistant", "content": step.content}
        if step.think:
            message["thinking"] = step.think
        if step.calls:
            message["tool_calls"] = [{"function": {"name": c.name, "arguments": c.input}} for c in step.calls]
        return self._head(body) | {"message": message} | self._ending(step, size)

    def frames(self, step: Step, body: Json, size: int) -> Iterator[Frame]:
        for piece in pieces(step.think, step.chunk):
            yield self._line(body, Part.DELTA, thinking=piece)
        for piece in pieces(step.content, step.chunk):
            yield self._line(body, Part.DELTA, content=piece)
        for call in step.calls:
            yield self._line(body, Part.DELTA, tool_calls=[{"function": {"name": call.name, "arguments": call.input}}])
        message = {"message": {"role": "assistant", "content": ""}}
        yield Frame(encode(self._head(body) | message | self._ending(step, size)) + b"\n", Part.END)

    def error(self, status: int, type: str, message: str) -> Json:
        return {"error": message}

    def error_frame(self, type: str, message: str) -> bytes:
        return encode({"error": message}) + b"\n"

    @staticmethod
    def _head(body: Json) -> Json:
        return {"model": body["model"], "created_at": "2026-01-01T00:00:00.5Z"}

    def _line(self, body: Json, part: Part, **said: object) -> Frame:
        message = {"role": "assistant", "content": ""} | said
        return Frame(encode(self._head(body) | {"message": message, "done": False}) + b"\n", part)

    @staticmethod
    def _ending(step: Step, size: int) -> Json:
        prompt = input_tokens(step, size) + step.usage.cache_read + step.usage.cache_write
        counts = {"prompt_eval_count": prompt, "eval_count": output_tokens(step)}
        reason = "length" if FINISH.get(step.stop, step.stop) == "length" else "stop"
        return {"done": True, "done_reason": reason, "total_duration": 5_000_000, "load_duration": 1000} | counts
