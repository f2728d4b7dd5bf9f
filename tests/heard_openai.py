"""Reads OpenAI Chat Completions: chunks of one choice, `finish_reason`, then perhaps usage, then `[DONE]`."""

from typing import Final, Literal

from heard import Call, Heard, Json, events, loads, need

NAME = "openai"
_STOP: Final[dict[str, Literal["end", "tools", "length", "refusal"]]] = {
    "stop": "end",
    "tool_calls": "tools",
    "length": "length",
    "content_filter": "refusal",
}


def whole(body: Json) -> Heard:
    need(body["object"] == "chat.completion" and len(body["choices"]) == 1, f"no completion: {body}")
    [choice] = body["choices"]
    heard = Heard(stop=_STOP[choice["finish_reason"]], tokens=_tokens(body["usage"]), terminal=True)
    message = choice["message"]
    need(message["role"] == "assistant", "not the assistant's")
    _add_words(heard, message)
    for call in message.get("tool_calls") or ():
        need(call["id"] and call["type"] == "function", f"a call without an id: {call}")
        heard.calls.append(Call(call["function"]["name"], call["function"]["arguments"]))
    need((heard.stop == "tools") <= bool(heard.calls), "tool_calls without a call")
    return heard


def stream(data: bytes) -> Heard:
    heard, ids = Heard(), set[str]()
    places: dict[int, Call] = {}
    for event in events(data):
        need(not heard.terminal, "an event after [DONE]")
        need(not heard.error, "an event after the error")
        if event.data == "[DONE]":
            need(heard.stop, "[DONE] without a finish_reason")
            heard.terminal = True
            continue
        chunk = loads(event.data)
        if chunk.get("error"):
            heard.error = error(chunk)
            continue
        need(chunk["object"] == "chat.completion.chunk", f"no chunk: {chunk}")
        ids.add(chunk["id"])
        need(len(ids) == 1, f"the answer's id changes: {ids}")
        _take(heard, places, chunk)
    return heard


def _take(heard: Heard, places: dict[int, Call], chunk: Json) -> None:
    if chunk.get("usage"):
        heard.tokens = _tokens(chunk["usage"])
    for choice in chunk["choices"]:
        need(choice["index"] == 0, f"choice {choice['index']}")
        delta = choice["delta"]
        need(not heard.stop or not (delta.get("content") or delta.get("tool_calls")), "content after finish_reason")
        _add_words(heard, delta)
        for piece in delta.get("tool_calls") or ():
            _add_call(heard, places, piece)
        if choice.get("finish_reason"):
            heard.stop = _STOP[choice["finish_reason"]]
            need((heard.stop == "tools") <= bool(heard.calls), "tool_calls without a call")


def _add_words(heard: Heard, message: Json) -> None:
    heard.text += (message.get("content") or "") + (message.get("refusal") or "")
    heard.thinking += message.get("reasoning_content") or message.get("reasoning") or ""


def _add_call(heard: Heard, places: dict[int, Call], piece: Json) -> None:
    """A call's first piece has its id and name, the others only arguments (OpenAI, "Function calling", streaming)."""
    function = piece["function"]
    if piece["index"] not in places:
        need(piece["id"] and function["name"], f"a call without id or name: {piece}")
        places[piece["index"]] = call = Call(function["name"])
        heard.calls.append(call)
    places[piece["index"]].arguments += function.get("arguments") or ""


def _tokens(usage: Json) -> tuple[int, int]:
    return usage["prompt_tokens"], usage["completion_tokens"]


def error(body: Json) -> str:
    said = body["error"]
    need(isinstance(said, dict) and said["message"], f"an error without a message: {body}")
    return f"{said.get('type')}: {said['message']}"
