"""An item of a response's output as blocks, and a block as an item.

Source: OpenAI's API reference, "The response object", `output`. A web search is a `server_tool_use` block; items of
other tools that the provider runs have no block.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from core.dialects import responses_reasoning as reasoning
from core.dialects.openai_request import arguments
from core.dialects.openai_wire import NewId
from core.dialects.responses_tools import free_text, joined, own_name
from core.dialects.responses_wire import Action, Item, parts
from core.dialects.sealing import is_sealed
from core.dialects.tool_ids import safe_id
from core.messages import Block, Tool

#: In the ids of items that the proxy made: no provider knows them, so they are taken out of what is sent to one.
MADE = "tp1_"
_PREFIX = {"text": "msg", "thinking": "rs", "redacted_thinking": "rs", "server_tool_use": "ws"}


def blocks_of(item: Item, new_id: NewId) -> list[Block]:
    """The blocks of a whole item."""
    match item.type:
        case "message":
            text = text_of(item)
            return [Block(type="text", text=text)] if text else []
        case "reasoning":
            return _reasoning(item)
        case "function_call" | "custom_tool_call":
            return [msgspec.structs.replace(call_of(item, new_id), input=arguments(arguments_of(item)))]
        case "web_search_call":
            return [search_of(item, new_id)]
    return []


def text_of(item: Item) -> str:
    """The text of a message, refusals included."""
    return "".join((part.text or "") + (part.refusal or "") for part in parts(item.content))


def thinking_of(item: Item) -> str:
    """The text of reasoning: its summary, or (servers of open models) itself."""
    texts = [part.text for part in parts(item.summary) or parts(item.content) if part.text]
    return "\n\n".join(texts)


def _reasoning(item: Item) -> list[Block]:
    signature = reasoning.pack(item.id or "", item.encrypted_content)
    if thinking := thinking_of(item):
        return [Block(type="thinking", thinking=thinking, signature=signature)]
    return [Block(type="redacted_thinking", data=signature)] if signature else []


def call_of(item: Item, new_id: NewId) -> Block:
    """A call as its block begins: without arguments."""
    id = safe_id(item.call_id or item.id or new_id())
    return Block(type="tool_use", id=id, name=joined(item.namespace, item.name or ""))


def arguments_of(item: Item) -> str:
    """A call's arguments as JSON text; a free text's are an object around it."""
    if item.type == "custom_tool_call":
        return msgspec.json.encode({"input": str(item.input or "")}).decode()
    said = item.arguments
    return said if isinstance(said, str) else msgspec.json.encode(said or {}).decode()


def search_of(item: Item, new_id: NewId) -> Block:
    """A web search that the provider made, with what it looked for."""
    try:
        action = msgspec.convert(item.action or {}, Action)
    except msgspec.ValidationError:
        action = Action()
    asked = {name: said for name, said in (("query", action.query), ("url", action.url)) if said}
    id = safe_id(item.id or new_id())
    return Block(type="server_tool_use", id=id, name="web_search", input=Raw(msgspec.json.encode(asked)))


def new_item_id(block: Block, tools: Mapping[str, Tool], new_id: NewId) -> str:
    """An id for the item of a block. Providers refuse one that does not begin as its type's do."""
    if block.type in {"thinking", "redacted_thinking"}:
        known = reasoning.unpack(_signature(block))
        if own := block.id or (known[0] if known else ""):
            return own  # its provider reads it again under its own id only
    prefix = _PREFIX.get(block.type) or ("ctc" if _is_free(block, tools) else "fc")
    return f"{prefix}_{MADE}{new_id()}"


def is_written(block: Block) -> bool:
    """Whether the block has an item."""
    if block.type == "server_tool_use":
        return block.name == "web_search"
    return block.type in {"text", "thinking", "redacted_thinking", "tool_use"}


def item_of(block: Block, id: str, tools: Mapping[str, Tool], status: str = "completed") -> dict[str, Any]:
    """The item of a block that has one; `in_progress` for a block that begins: it is empty."""
    match block.type:
        case "text":
            content = [output_text(block.text)] if status == "completed" else []
            return {"id": id, "type": "message", "status": status, "role": "assistant", "content": content}
        case "thinking" | "redacted_thinking":
            return _reasoning_item(block, id)
        case "server_tool_use":
            return {"id": id, "type": "web_search_call", "status": status, "action": _action(block)}
    return _call_item(block, id, tools, status)


def output_text(text: str) -> dict[str, Any]:
    """A message's only part."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def summary_text(text: str) -> dict[str, Any]:
    """A reasoning item's only part."""
    return {"type": "summary_text", "text": text}


def _reasoning_item(block: Block, id: str) -> dict[str, Any]:
    known = reasoning.unpack(_signature(block))
    sealed = _signature(block) if is_sealed(_signature(block)) else None
    # An empty summary tells thinking that is not shown from reasoning that never is: see `responses_items`.
    summary = [summary_text(block.thinking)] if block.thinking or (block.type == "thinking" and sealed) else []
    return {"id": id, "type": "reasoning", "summary": summary, "encrypted_content": known[1] if known else sealed}


def _action(block: Block) -> dict[str, Any]:
    """What a search looked for, as far as it is known: arguments may be cut."""
    try:
        asked = msgspec.json.decode(block.input, type=dict[str, Any])
    except msgspec.MsgspecError:
        asked = {}
    return {"type": "search", "query": str(asked.get("query") or "")}


def _signature(block: Block) -> str:
    return (block.signature or "") if block.type == "thinking" else block.data


def _is_free(block: Block, tools: Mapping[str, Tool]) -> bool:
    return block.name in tools and tools[block.name].free_text


def _call_item(block: Block, id: str, tools: Mapping[str, Tool], status: str) -> dict[str, Any]:
    tool = tools.get(block.name)
    name = own_name(tool) if tool else block.name
    item: dict[str, Any] = {"id": id, "type": "function_call", "status": status, "call_id": block.id, "name": name}
    if tool and tool.namespace:
        item["namespace"] = tool.namespace
    sent = bytes(block.input).decode() if status == "completed" else ""
    if tool and tool.free_text:
        return item | {"type": "custom_tool_call", "input": free_text(sent) if sent else ""}
    return item | {"arguments": sent}
