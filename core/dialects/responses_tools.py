"""The tools of a Responses request: read into the neutral model, and found again by the name that the model calls.

Source: OpenAI's API reference, "Create a model response", `tools`. Two kinds have no form in the other dialects: the
functions of a `namespace` (Codex groups its tools so) are offered under both names joined, a `custom` tool, which takes
free text instead of arguments, as a function with one text named `input`. Answers are turned back with `find`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from core.dialects.json_gate import decode
from core.errors import BadRequest
from core.messages import EMPTY_OBJECT, Request, Tool, ToolChoice

#: What a free-text tool is offered as.
FREE_TEXT = Raw(
    b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}'
)
#: Types of tools that are functions of the client's, whatever they are called.
_FUNCTIONS = frozenset({"function", "custom"})


class _Format(Struct):
    type: str = "text"
    syntax: str = ""
    definition: str = ""


class _Tool(Struct):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: Raw = EMPTY_OBJECT
    format: _Format | None = None
    tools: "list[_Tool] | None" = None


class _Named(Struct):
    type: str
    name: str | None = None
    mode: str | None = None
    tools: list[dict[str, Any]] | None = None


class _FreeText(Struct):
    input: str


_read_free_text = msgspec.json.Decoder(_FreeText).decode


def joined(namespace: str | None, name: str) -> str:
    """The one name of a function in a namespace; Codex ends those of MCP servers with `__` itself."""
    if not namespace:
        return name
    return f"{namespace}{name}" if namespace.endswith("__") else f"{namespace}__{name}"


def read_tools(raw: Raw, path: str) -> list[Tool]:
    """`tools`, namespaces opened. BadRequest with the path of what is wrong."""
    found: list[Tool] = []
    for number, tool in enumerate(decode(raw, list[_Tool] | None, path) or []):
        if tool.type == "namespace":
            inner = enumerate(tool.tools or [])
            found += [_tool(each, f"{path}.{number}.tools.{at}", tool.name or "") for at, each in inner]
        else:
            found.append(_tool(tool, f"{path}.{number}", ""))
    return found


def _tool(tool: _Tool, path: str, namespace: str) -> Tool:
    if tool.type not in _FUNCTIONS:
        return Tool(name=tool.name or tool.type, type=tool.type)  # the provider runs it, or knows what it is
    if not tool.name:
        raise BadRequest(f"{path}.name: Field required", details={"param": f"{path}.name"})
    free = tool.type == "custom"
    missing = not tool.parameters or bytes(tool.parameters) == b"null"
    return Tool(
        name=joined(namespace, tool.name),
        description=_described(tool) if free else tool.description or "",
        input_schema=FREE_TEXT if free else EMPTY_OBJECT if missing else tool.parameters,
        namespace=namespace,
        free_text=free,
    )


def _described(tool: _Tool) -> str:
    """What `input` must look like is told in words, as no other dialect has grammars."""
    parts = [tool.description or ""]
    if tool.format and tool.format.definition:
        parts.append(f"`input` must match this {tool.format.syntax} grammar:\n{tool.format.definition}")
    return "\n\n".join(filter(None, parts))


def read_choice(raw: Raw, *, one_at_a_time: bool) -> ToolChoice | None:
    """`tool_choice`; of `allowed_tools` only the mode, see `allowed`."""
    wire = decode(raw, str | _Named | None, "tool_choice") if raw else None
    match wire:
        case None:
            return ToolChoice(type="auto", disable_parallel=True) if one_at_a_time else None
        case "none" | "auto" as same:
            return ToolChoice(type=same, disable_parallel=one_at_a_time)
        case "required" | _Named(type="allowed_tools", mode="required"):
            return ToolChoice(type="any", disable_parallel=one_at_a_time)
        case _Named(type="allowed_tools"):
            return ToolChoice(type="auto", disable_parallel=one_at_a_time)
        case _Named(type=type, name=name):
            return ToolChoice(type="tool", name=name or type, disable_parallel=one_at_a_time)
    raise BadRequest("tool_choice: expected none, auto, required or a tool", details={"param": "tool_choice"})


def allowed(tools: list[Tool], raw: Raw) -> list[Tool]:
    """The tools that `tool_choice: allowed_tools` leaves; all of them for any other choice."""
    if not bytes(raw).startswith(b"{"):
        return tools
    wire = decode(raw, _Named, "tool_choice")
    if wire.type != "allowed_tools":
        return tools
    names = {str(tool.get("name") or tool.get("type")) for tool in wire.tools or []}
    return [tool for tool in tools if tool.name in names or (tool.namespace and tool.namespace in names)]


def find(request: Request) -> Mapping[str, Tool]:
    """By the name that the model calls: the tools that answers must be turned back for."""
    return {tool.name: tool for tool in request.tools if tool.namespace or tool.free_text}


def own_name(tool: Tool) -> str:
    """The name that the client gave it, without its namespace's."""
    return tool.name.removeprefix(joined(tool.namespace, ""))


def free_text(arguments: str) -> str:
    """The text that a free-text tool is called with. A model that wrote no such object may have written it bare."""
    try:
        return _read_free_text(arguments.encode()).input
    except (msgspec.MsgspecError, RecursionError):
        return arguments


def offered(tools: Sequence[Tool]) -> list[Tool]:
    """Each name once, the last one wins: a search for tools may find what is on offer already."""
    return list({(tool.type, tool.name): tool for tool in tools}.values())
