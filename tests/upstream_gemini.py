"""How the fake provider writes a step in Gemini's dialect, whole and streamed.

As generation 3 does it: a call comes whole, with an id; the first one of a step carries a signature, a text's stands on
an empty part of its own behind it; the end comes on a part without words.
"""

import re
from collections.abc import Iterator

from upstream_script import Step
from upstream_wire import (
    EVENT_STREAM,
    STOP,
    Frame,
    Json,
    Part,
    encode,
    ident,
    input_tokens,
    output_tokens,
    pieces,
    signature,
)

#: `finishReason` for Anthropic's word; a call ends a turn like anything else.
FINISH = {"max_tokens": "MAX_TOKENS", "refusal": "SAFETY"}
_CODES = {
    "invalid_request_error": (400, "INVALID_ARGUMENT"),
    "authentication_error": (401, "UNAUTHENTICATED"),
    "permission_error": (403, "PERMISSION_DENIED"),
    "not_found_error": (404, "NOT_FOUND"),
    "rate_limit_error": (429, "RESOURCE_EXHAUSTED"),
    "overloaded_error": (503, "UNAVAILABLE"),
    "api_error": (500, "INTERNAL"),
}
_STATUS = dict(_CODES.values())
_PATH = re.compile(r"/models/([^:/]+):(stream)?")


class Gemini:
    """`/models/M:generateContent` and `:streamGenerateContent`."""

    stream_type = EVENT_STREAM

    def asked(self, path: str, body: Json) -> Json:
        """Model and stream are in the path; turns are contents."""
        found = _PATH.search(path)
        turns = [
            {"role": "assistant" if turn.get("role") == "model" else "user", "content": _words(turn)}
            for turn in body.get("contents", ())
        ]
        return body | {"model": found[1] if found else None, "stream": bool(found and found[2]), "messages": turns}

    def whole(self, step: Step, body: Json, size: int) -> Json:
        finish = FINISH.get(STOP.get(step.stop, step.stop), "STOP")
        return self._answer(body, _parts(step), finish) | {"usageMetadata": _usage(step, size)}

    def frames(self, step: Step, body: Json, size: int) -> Iterator[Frame]:
        whole = self.whole(step, body, size)
        usage = {"promptTokenCount": whole["usageMetadata"]["promptTokenCount"]}
        for part in whole["candidates"][0]["content"]["parts"]:
            for piece in _cut(part, step.chunk):
                answer = self._answer(whole, [piece]) | {"usageMetadata": usage}
                yield Frame(_data(answer), Part.DELTA if piece.get("text", "call") else Part.FRAME)
        last = self._answer(whole, [{"text": ""}], whole["candidates"][0]["finishReason"])
        yield Frame(_data(last | {"usageMetadata": whole["usageMetadata"]}), Part.END)

    def error(self, status: int, type: str, message: str) -> Json:
        code, word = _CODES.get(type, (status, _STATUS.get(status, "UNKNOWN")))
        return {"error": {"code": status or code, "message": message, "status": word}}

    def error_frame(self, type: str, message: str) -> bytes:
        return _data(self.error(0, type or "overloaded_error", message))

    @staticmethod
    def _answer(said: Json, parts: list[Json], finish: str = "") -> Json:
        candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        model = said.get("modelVersion") or said["model"]
        return {"candidates": [candidate], "modelVersion": model, "responseId": said.get("responseId") or ident("r")}


def _data(value: Json) -> bytes:
    return b"data: %s\n\n" % encode(value)


def _parts(step: Step) -> list[Json]:
    parts: list[Json] = [{"text": step.think, "thought": True}] if step.think else []
    if step.content:
        parts.append({"text": step.content})
    for number, call in enumerate(step.calls):
        part = {"functionCall": {"id": ident("fc"), "name": call.name, "args": call.input}}
        parts.append(part if number else part | {"thoughtSignature": signature(call.name)})
    if not step.calls and step.think:
        parts.append({"text": "", "thoughtSignature": signature(step.think)})
    return parts


def _cut(part: Json, size: int) -> Iterator[Json]:
    """Text comes in pieces, everything else whole."""
    if not part.get("text"):
        return iter((part,))
    return (part | {"text": piece} for piece in pieces(part["text"], size))


def _words(turn: Json) -> list[Json]:
    return [{"type": "text", "text": part["text"]} for part in turn.get("parts", ()) if "text" in part]


def _usage(step: Step, size: int) -> Json:
    """The prompt's tokens include cached ones, the candidate's no thoughts."""
    prompt = input_tokens(step, size) + step.usage.cache_read + step.usage.cache_write
    output = output_tokens(step)
    thoughts = min(output, len(step.think) // 4)
    counts = {"promptTokenCount": prompt, "candidatesTokenCount": output - thoughts, "totalTokenCount": prompt + output}
    if thoughts:
        counts["thoughtsTokenCount"] = thoughts
    return counts | ({"cachedContentTokenCount": step.usage.cache_read} if step.usage.cache_read else {})
