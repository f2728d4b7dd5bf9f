"""The input of a Responses request: a text, or items, to the turns of a conversation.

Source: OpenAI's API reference, "Create a model response", `input`. An item is a message, a call, its output or a piece
of reasoning; what the model said between two inputs is one assistant turn here, and outputs of calls that stand
together are one user turn.
"""

from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from core.dialects.json_gate import decode
from core.dialects.openai_request import arguments, source
from core.dialects.responses_tools import joined, read_tools
from core.errors import BadRequest
from core.messages import EMPTY_OBJECT, Block, Message, Source, Tool


class _Typed(Struct):
    type: str | None = None
    call_id: Any = None


class _URL(Struct):
    url: str


class _Part(Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | _URL | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None


class _Message(Struct):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[_Part] | None = None


class _Call(Struct):
    call_id: str
    name: str
    arguments: str | dict[str, Any] | None = None
    input: str = ""
    namespace: str | None = None


class _Output(Struct):
    call_id: str
    output: str | list[_Part] | None = None


class _Text(Struct):
    text: str = ""


class _Reasoning(Struct):
    summary: list[_Text] | None = None
    content: list[_Text] | None = None
    encrypted_content: str | None = None


class _Query(Struct):
    query: str | None = None
    url: str | None = None


class _Search(Struct):
    id: str | None = None
    action: _Query | None = None


class _AnyCall(Struct):
    """A call of a tool that OpenAI defines, with arguments of its own form."""

    call_id: str
    arguments: Raw = Raw()
    action: Raw = Raw()
    operation: Raw = Raw()


class _AnyOutput(Struct):
    call_id: str
    output: Raw = Raw()


class _Tools(Struct):
    tools: Raw = Raw()


class Conversation:
    """What the items amount to. `tools` are those that items brought along."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.tools: list[Tool] = []

    def add(self, role: str, blocks: list[Block]) -> None:
        last = self.messages[-1] if self.messages else None
        if last is not None and last.role == role and (role == "assistant" or _only_results(last.content + blocks)):
            last.content += blocks
        else:
            self.messages.append(Message(role=role, content=blocks))

    def take(self, raw: Raw, path: str) -> None:
        """One item. BadRequest with the path of what is wrong."""
        typed = decode(raw, _Typed, path)
        kind = typed.type or "message"
        match kind:
            case "message":
                self._message(decode(raw, _Message, path), path)
            case "function_call" | "custom_tool_call":
                self.add("assistant", [_call(decode(raw, _Call, path), free_text=kind == "custom_tool_call")])
            case "function_call_output" | "custom_tool_call_output":
                self.add("user", [_output(decode(raw, _Output, path), f"{path}.output")])
            case "reasoning":
                self.add("assistant", _reasoning(decode(raw, _Reasoning, path)))
            case "web_search_call":
                self.add("assistant", [_search(decode(raw, _Search, path))])
            case "item_reference":
                raise BadRequest(
                    f"{path}: items are not kept here; send the item itself instead of a reference to it",
                    details={"param": path},
                )
            case _:
                self._other(kind, typed, raw, path)

    def _message(self, wire: _Message, path: str) -> None:
        role = "system" if wire.role == "developer" else wire.role
        self.add(role, _content(wire.content, f"{path}.content"))

    def _other(self, kind: str, typed: _Typed, raw: Raw, path: str) -> None:
        """Tools that OpenAI defines and the client runs are calls like any other; the rest is the provider's own."""
        if kind in {"additional_tools", "tool_search_output"}:
            self.tools += read_tools(decode(raw, _Tools, path).tools, f"{path}.tools")
        if kind.endswith("_output") and typed.call_id:
            self.add("user", [_any_output(decode(raw, _AnyOutput, path))])
        elif kind.endswith("_call") and typed.call_id:
            self.add("assistant", [_any_call(decode(raw, _AnyCall, path), kind.removesuffix("_call"))])


def read_input(raw: Raw) -> Conversation:
    """`input`. BadRequest with the path of what is wrong."""
    found = Conversation()
    wire = decode(raw, str | list[Raw], "input")
    if isinstance(wire, str):
        found.add("user", [Block(type="text", text=wire)] if wire else [])
        return found
    for number, item in enumerate(wire):
        found.take(item, f"input.{number}")
    return found


def _only_results(blocks: list[Block]) -> bool:
    return all(block.type == "tool_result" for block in blocks)


def _content(content: str | list[_Part] | None, path: str) -> list[Block]:
    if isinstance(content, list):
        return [_part(part, f"{path}.{number}") for number, part in enumerate(content)]
    return [Block(type="text", text=content)] if content else []


def _part(part: _Part, path: str) -> Block:
    match part.type:
        case "input_text" | "output_text" | "text" | "summary_text":
            if part.text is None:
                raise BadRequest(f"{path}.text: Field required", details={"param": f"{path}.text"})
            return Block(type="text", text=part.text)
        case "refusal":
            return Block(type="text", text=part.refusal or "")
        case "input_image" | "image_url":
            return Block(type="image", source=_image(part, path))
        case "input_file":
            return Block(type="document", source=_file(part, path), name=part.filename or "")
    return Block(type=part.type, text=part.text or "")


def _image(part: _Part, path: str) -> Source:
    if part.image_url is None and part.file_id is None:
        raise BadRequest(f"{path}.image_url: Field required", details={"param": f"{path}.image_url"})
    if part.image_url is None:
        return Source(type="file", file_id=part.file_id or "")
    return source(part.image_url if isinstance(part.image_url, str) else part.image_url.url)


def _file(part: _Part, path: str) -> Source:
    if part.file_data:
        sent = source(part.file_data)
        bare = sent.type == "url"  # base64 without its data URL
        return Source(type="base64", media_type="application/pdf", data=part.file_data) if bare else sent
    if part.file_url:
        return Source(type="url", url=part.file_url)
    if part.file_id:
        return Source(type="file", file_id=part.file_id)
    raise BadRequest(f"{path}: file_data, file_url or file_id is required", details={"param": path})


def _call(call: _Call, *, free_text: bool) -> Block:
    sent = Raw(msgspec.json.encode({"input": call.input})) if free_text else arguments(call.arguments)
    return Block(type="tool_use", id=call.call_id, name=joined(call.namespace, call.name), input=sent)


def _output(wire: _Output, path: str) -> Block:
    return Block(type="tool_result", tool_use_id=wire.call_id, content=_content(wire.output, path))


def _any_call(call: _AnyCall, name: str) -> Block:
    sent = bytes(call.arguments or call.action or call.operation or EMPTY_OBJECT)
    if sent.startswith(b'"'):
        return Block(type="tool_use", id=call.call_id, name=name, input=arguments(msgspec.json.decode(sent)))
    return Block(type="tool_use", id=call.call_id, name=name, input=arguments(sent.decode()))


def _any_output(wire: _AnyOutput) -> Block:
    """The output's text; JSON text if it is of a form of its own."""
    sent = bytes(wire.output or Raw(b'""'))
    try:
        content = _content(msgspec.json.decode(sent, type=str | list[_Part]), "output")
    except (msgspec.ValidationError, BadRequest):
        content = [Block(type="text", text=sent.decode())]
    return Block(type="tool_result", tool_use_id=wire.call_id, content=content)


def _reasoning(wire: _Reasoning) -> list[Block]:
    """Thinking, also such as is not shown (an empty summary, as the proxy writes it), opaque reasoning, or nothing."""
    said = wire.summary or wire.content
    if said:
        thinking = "\n\n".join(each.text for each in said if each.text)
        return [Block(type="thinking", thinking=thinking, signature=wire.encrypted_content or "")]
    return [Block(type="redacted_thinking", data=wire.encrypted_content)] if wire.encrypted_content else []


def _search(wire: _Search) -> Block:
    action = wire.action or _Query()
    asked = {name: said for name, said in (("query", action.query), ("url", action.url)) if said}
    return Block(type="server_tool_use", id=wire.id or "", name="web_search", input=Raw(msgspec.json.encode(asked)))
