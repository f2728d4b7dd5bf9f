"""Content that another dialect has no form for, as text that its model can read."""

from core.dialects.subagent import carriers, without_tag
from core.messages import Block, Request

#: What a line of Claude Code's instructions begins with that is for Anthropic alone.
BILLING = "x-anthropic-billing-header"


def system_text(request: Request) -> str:
    """The system text for a provider other than Anthropic: without the tag, and without Claude Code's billing line.

    That line changes with each prompt and would defeat the provider's prompt cache.
    """
    return "\n\n".join(block.text for block in system_blocks(request))


def system_blocks(request: Request) -> list[Block]:
    """The same, block by block, with their cache marks."""
    texts = ((without_billing(without_tag(each.text)).strip(), each) for each in request.system if each.type == "text")
    return [Block(type="text", text=text, cache_control=block.cache_control) for text, block in texts if text]


def without_billing(text: str) -> str:
    """The text without the billing line that it may begin with."""
    return text.partition("\n")[2] if text.startswith(BILLING) else text


def without_tags(request: Request) -> list[list[Block]]:
    """Each message's blocks, the subagent tag removed where it may stand, empty texts dropped."""
    tagged = set(carriers(request.messages))
    return [
        [kept for block in message.content if (kept := _clean(block, tagged=number in tagged))]
        for number, message in enumerate(request.messages)
    ]


def _clean(block: Block, *, tagged: bool) -> Block | None:
    if block.type != "text":
        return block
    text = without_tag(block.text) if tagged else block.text
    if not text.strip():
        return None
    return block if text is block.text else Block(type="text", text=text, cache_control=block.cache_control)


def as_text(block: Block) -> str:
    """A block as text: what was said in it, or what it stood for; empty for what only its own provider can read."""
    match block.type:
        case "text":
            return block.text
        case "tool_reference":
            return f"[tool available: {block.tool_name}]"
        case "document":
            return _document(block)
        case "image":
            return "[image]"
        case "server_tool_use" | "mcp_tool_use":
            return f"[{block.name} was called with {bytes(block.input).decode()}]"
        case "thinking" | "redacted_thinking":
            return ""
    inner = content_text(block)
    return inner or block.text or block.thinking


def _document(block: Block) -> str:
    source = block.source
    if source is None or source.type == "content":
        return content_text(block)
    if source.type == "text":
        return source.data
    where = source.url or source.file_id or source.media_type
    return f"[document that could not be passed on: {block.name or where}]"


def content_text(block: Block) -> str:
    """The text of a block's nested content, one paragraph a block."""
    if isinstance(block.content, str):
        return block.content
    if isinstance(block.content, list):
        return "\n".join(filter(None, (as_text(each) for each in block.content if each.type != "image")))
    return ""
