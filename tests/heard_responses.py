"""Reads OpenAI Responses: items in order; each `done` and the final response repeat what the deltas said."""

from collections import defaultdict
from typing import Final

from heard import Call, Event, Heard, Json, events, need

NAME = "openai-responses"
_ENDS: Final = {"response.completed": "completed", "response.incomplete": "incomplete"}
_TEXT_DELTAS: Final = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "text",
    "response.reasoning_summary_text.delta": "thinking",
    "response.reasoning_text.delta": "thinking",
}


def whole(body: Json) -> Heard:
    need(body["object"] == "response", f"no response: {body}")
    if body["status"] == "failed":
        return Heard(error=error(body))
    heard = Heard(terminal=True)
    for item in body["output"]:
        _item(heard, item)
    reason = (body.get("incomplete_details") or {}).get("reason")
    need((body["status"] == "incomplete") == bool(reason), f"{body['status']}, but incomplete because of {reason}")
    ended = "tools" if heard.calls else "end"
    heard.stop = "length" if reason == "max_output_tokens" else "refusal" if reason == "content_filter" else ended  # type: ignore[assignment]
    if usage := body.get("usage"):
        heard.tokens = usage["input_tokens"], usage["output_tokens"]
    return heard


def _item(heard: Heard, item: Json) -> None:
    match item["type"]:
        case "message":
            need(item["role"] == "assistant", "not the assistant's")
            heard.text += "".join(part.get("text") or part.get("refusal") or "" for part in item["content"])
        case "reasoning":
            parts = [*item.get("summary", ()), *(item.get("content") or ())]
            heard.thinking += "".join(part["text"] for part in parts)
        case "function_call":
            need(item["call_id"] and item["name"], f"a call without id or name: {item}")
            heard.calls.append(Call(item["name"], item["arguments"]))
        case "custom_tool_call":
            heard.calls.append(Call(item["name"], item["input"]))


def stream(data: bytes) -> Heard:
    reading = _Reading()
    for event in events(data):
        need(not (reading.heard.terminal or reading.heard.error), f"{event.name} after the end")
        if event.data != "[DONE]":
            reading.take(event)
    return reading.heard


class _Reading:
    def __init__(self) -> None:
        self.heard = Heard()
        self._numbers = -1
        self._items: dict[int, Json] = {}
        self._done: set[int] = set()
        self._calls: dict[int, Call] = {}
        self._texts: dict[tuple[int, str, int], str] = defaultdict(str)

    def take(self, event: Event) -> None:
        value = event.json()
        type = value["type"]
        need(event.name in ("", type), f"event {event.name!r} says that it is {type!r}")
        number = value.get("sequence_number", self._numbers + 1)
        need(number > self._numbers, f"sequence_number {number} after {self._numbers}")
        self._numbers = number
        if type == "error":
            self.heard.error = f"{value.get('code')}: {value['message']}"
        elif type == "response.failed":
            self.heard.error = error(value["response"])
        elif type in _ENDS:
            self._end(value["response"], _ENDS[type])
        elif type == "response.output_item.added":
            self._added(value)
        elif type == "response.output_item.done":
            self._item_done(value)
        elif "output_index" in value:
            self._piece(type, value)

    def _added(self, value: Json) -> None:
        at = value["output_index"]
        need(at == len(self._items), f"item {at} out of place")
        self._items[at] = item = value["item"]
        if item["type"] in ("function_call", "custom_tool_call"):
            need(item["call_id"] and item["name"], f"a call without id or name: {item}")
            self._calls[at] = Call(item["name"])
            self.heard.calls.append(self._calls[at])

    def _piece(self, type: str, value: Json) -> None:
        at = int(value["output_index"])
        need(at in self._items and at not in self._done, f"{type} of item {at}, which is not open")
        need(value["item_id"] == self._items[at].get("id"), f"{type} of {value['item_id']}")
        part: int = value["content_index"] if "content_index" in value else value.get("summary_index", 0)
        if type in _TEXT_DELTAS:
            lane = _TEXT_DELTAS[type]
            self._texts[at, lane, part] += value["delta"]
            setattr(self.heard, lane, getattr(self.heard, lane) + value["delta"])
        elif type in ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta"):
            self._calls[at].arguments += value["delta"]
        elif type in ("response.function_call_arguments.done", "response.custom_tool_call_input.done"):
            whole_text = value.get("arguments", value.get("input"))
            need(whole_text == self._calls[at].arguments, "the arguments' end differs from their deltas")
        elif type.endswith((".text.done", "_text.done", "refusal.done")):
            lane = _TEXT_DELTAS[type.replace(".done", ".delta")]
            said = value.get("text", value.get("refusal"))
            need(said == self._texts[at, lane, part], f"{type} differs from its deltas")

    def _item_done(self, value: Json) -> None:
        at, item = value["output_index"], value["item"]
        need(at in self._items and at not in self._done, f"item {at} ends, but is not open")
        self._done.add(at)
        self._items[at] = item
        alone = Heard()
        _item(alone, item)
        for lane, said in (("text", alone.text), ("thinking", alone.thinking)):
            streamed = "".join(text for (place, of, _), text in self._texts.items() if (place, of) == (at, lane))
            need(said == streamed, f"item {at} ends with another {lane} than was streamed")
        if alone.calls:
            need(alone.calls == [self._calls[at]], f"item {at} ends with other arguments than were streamed")

    def _end(self, response: Json, status: str) -> None:
        need(response["status"] == status, f"{response['status']} in the end of a response that is {status}")
        need(self._done == set(self._items), "an item was never done")
        last = whole(response)
        if response["output"]:  # some servers leave it empty in the stream's end
            need(last.said() == self.heard.said(), "the response's end differs from what was streamed")
        self.heard.stop, self.heard.tokens, self.heard.terminal = last.stop, last.tokens, True
        if not response["output"] and self.heard.calls and last.stop == "end":
            self.heard.stop = "tools"


def error(body: Json) -> str:
    """An error answer, or a failed response."""
    said = body["error"]
    need(said and said["message"], f"an error without a message: {body}")
    return f"{said.get('type') or said.get('code')}: {said['message']}"
