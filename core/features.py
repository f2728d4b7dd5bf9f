"""What a request is: everything that a decision may depend on, read off the request without asking anybody.

The conditions are those of today's clients (Claude Code 2.1, Codex 0.169, the SDKs), as observed on the wire.
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import translate
from functools import lru_cache

import msgspec
from msgspec import Struct

from core.effort import effort_of
from core.exchange import Features
from core.human_text import find_subagent_tag, last_human_text
from core.identity import BILLING, agent_of, session_id, thread_of
from core.messages import Block, Message, Request, Tool
from core.routing.server_tools import NEEDED

REQUEST_CLASSES = frozenset({"main", "subagent", "workflow", "auxiliary", "compaction", "side_reply"})
COMPACTION = "compaction"
BACKGROUND_CLASSES = frozenset({"auxiliary", COMPACTION})
SEARCH_TOOLS = frozenset({"web_search", "WebSearch", "googleSearch", "google_search"})
CODEX = "codex"
#: The permission classifier asks for a word or two.
CLASSIFIER_TOKENS = 64
PLAN_ON = ("plan mode is active", "plan mode still active", "## re-entering plan mode")
PLAN_OFF = ("## exited plan mode",)
_REMINDER = "<system-reminder>"
#: No model's name is longer, and a glob is not run over what is no name.
MODEL_CHARS = 256


class FeatureSettings(Struct, frozen=True, kw_only=True):
    """The operator's word on features."""

    #: Globs over the lower-cased model name: who asks for such a model runs a background job.
    background_models: tuple[str, ...] = ("*haiku*",)
    #: Leave fenced code out of the text that patterns see.
    skip_code: bool = False


def extract(
    request: Request, headers: Mapping[str, str], *, token_count: int, settings: FeatureSettings, client_key: str
) -> Features:
    """The features of a request. Header names are lower-case; `client_key` is the client's name, never its secret."""
    subagent, agent = is_subagent(request, headers), agent_of(headers)
    request_class = class_of(request, headers, subagent=subagent)
    background = request_class in BACKGROUND_CLASSES or fits(request.model, settings.background_models)
    side = is_side(request, request_class, background=background)
    searches = wants_server_search(request)
    searches_only = searches and leaves_only_search(request)
    latest = latest_turn(request.messages)
    return Features(
        dialect=request.dialect,
        model=request.model,
        stream=request.stream,
        max_tokens=request.max_tokens,
        token_count=token_count,
        message_count=len(request.messages),
        tools=tuple([tool.name or tool.type for tool in request.tools]),
        last_user=last_human_text(request, skip_code=settings.skip_code),
        thinking=wants_thinking(request),
        effort=effort_of(request.thinking),
        web_search=is_about_search(request, agent, server=searches, only=searches_only),
        server_web_search=searches,
        only_web_search=searches_only,
        provider_tools=tuple([tool.type for tool in request.tools if tool.type and tool.type.startswith(NEEDED)]),
        images=images_in(request.messages),
        image_in_last_turn=images_in(latest) > 0,
        request_class=request_class,
        background=background,
        plan_mode=is_plan_mode(request),
        subagent=subagent,
        subagent_target=find_subagent_tag(request),
        session_id=session_id(request, headers, client_key),
        client_key=client_key,
        agent=agent,
        thread=thread_of(request, headers, subagent=subagent, side=side),
        tool_loop="tool_result" in [block.type for message in latest for block in message.content],
    )


def is_side(request: Request, request_class: str, *, background: bool) -> bool:
    """A job beside the conversation. A compaction is about the conversation, and one with tools is a conversation."""
    return request_class == "auxiliary" or (background and request_class != COMPACTION and not request.tools)


def class_of(request: Request, headers: Mapping[str, str], *, subagent: bool) -> str:
    """The request class: the client's hint, else what the request's shape says, else empty."""
    hint = headers.get("x-claude-code-request-class", "").strip().lower()
    if hint in REQUEST_CLASSES:
        return hint
    if is_title_shape(request) or is_classifier_shape(request):
        return "auxiliary"
    if subagent:
        return "subagent"
    return "main" if len(request.tools) > 1 and request.thinking.type == "adaptive" else ""


def is_title_shape(request: Request) -> bool:
    """Claude Code names a session: an explicitly empty tool list, JSON with a `title` wanted, no thinking."""
    if request.tools or "tools" not in request.fields or request.thinking.type not in {"", "disabled"}:
        return False
    schema = bytes(request.answer_schema)
    return bool(schema) and "title" in _properties(schema)


class _Schema(Struct):
    properties: dict[str, msgspec.Raw] = {}


def _properties(schema: bytes) -> dict[str, msgspec.Raw]:
    try:
        return msgspec.json.decode(schema, type=_Schema).properties
    except msgspec.DecodeError:
        return {}


def is_classifier_shape(request: Request) -> bool:
    """Claude Code asks whether a command is safe: a word or two until a stop sequence, not streamed, no tools."""
    short = request.max_tokens is not None and request.max_tokens <= CLASSIFIER_TOKENS
    return short and bool(request.stop) and not request.stream and not request.tools


def is_subagent(request: Request, headers: Mapping[str, str]) -> bool:
    """Claude Code's mark of a subagent: a header, or a word in the billing line that leads the system text."""
    if headers.get("x-claude-code-agent-id"):
        return True
    first = request.system[0].text if request.system else ""
    return first.startswith(BILLING) and "cc_is_subagent=true" in first


def is_plan_mode(request: Request) -> bool:
    """The client says so, or the newest system message in the conversation that is about plan mode does."""
    if request.permission_mode:
        return request.permission_mode == "plan"
    for message in reversed(request.messages):
        if message.role != "system":
            continue
        notice = _notice(message)
        if notice.startswith(PLAN_ON + PLAN_OFF):
            return notice.startswith(PLAN_ON)
    return False


def _notice(message: Message) -> str:
    """The first words of a message, lower-cased, out of their `<system-reminder>`."""
    text = next((block.text for block in message.content if block.type == "text"), "")
    return text[:200].lstrip().removeprefix(_REMINDER).lstrip()[:40].lower()


def wants_thinking(request: Request) -> bool:
    """Whether the client turned thinking on: by its type, or (in dialects that have only that) by an effort."""
    thinking = request.thinking
    if thinking.type or request.dialect == "anthropic":
        return thinking.type in {"enabled", "adaptive"}
    return effort_of(thinking) != "none"


def is_about_search(request: Request, agent: str, *, server: bool, only: bool) -> bool:
    """A search tool is what this request is about. `server` and `only`: see `Features`.

    Claude Code offers its function `WebSearch` with every main turn: among other tools, a function with a schema of its
    own is just a tool. It counts when the provider must run it, or when it is the only one. Codex offers the provider's
    with every turn: it counts when no other tool is there, or it must be used.
    """
    named = len(request.tools) == 1 and request.tools[0].name in SEARCH_TOOLS
    return named or (only if agent == CODEX else server)


def wants_server_search(request: Request) -> bool:
    """The provider must search: a tool of such a type, a known name without a schema, or OpenAI's chat option."""
    return "web_search_options" in request.fields or any(map(_is_server_search, request.tools))


def _is_server_search(tool: Tool) -> bool:
    return tool.type.startswith("web_search") or (tool.name in SEARCH_TOOLS and len(bytes(tool.input_schema)) <= 2)


def leaves_only_search(request: Request) -> bool:
    """Without the provider's search, which is on offer, nothing is left: it is the only tool, or the one that must be
    used.
    """
    choice = request.tool_choice
    named = choice.name if choice and choice.type == "tool" else ""
    forced = bool(named) and any(_is_server_search(tool) and named in {tool.name, tool.type} for tool in request.tools)
    return forced or all(map(_is_server_search, request.tools))


def latest_turn(messages: Sequence[Message]) -> list[Message]:
    """What was said after the model's last answer, newest first."""
    turn: list[Message] = []
    for message in reversed(messages):
        if message.role == "assistant":
            break
        turn.append(message)
    return turn


def images_in(messages: Sequence[Message]) -> int:
    """Image blocks, those inside tool results included."""
    return sum([_images(block) for message in messages for block in message.content if block.type in _WITH_IMAGES])


_WITH_IMAGES = frozenset({"image", "tool_result"})


def _images(block: Block) -> int:
    if block.type == "image":
        return 1
    inside = block.content if block.type == "tool_result" and isinstance(block.content, list) else []
    return sum([_images(each) for each in inside if each.type in _WITH_IMAGES])


def fits(model: str, globs: tuple[str, ...]) -> bool:
    """Whether any glob fits the model's name, case aside."""
    return bool(globs) and _compiled(globs).match(model[:MODEL_CHARS].lower()) is not None


@lru_cache(maxsize=8)  # one for each settings in use: two during a reload
def _compiled(globs: tuple[str, ...]) -> re.Pattern[str]:
    """One expression; `fnmatch.translate` writes stars as atomic groups, so it cannot backtrack without bound."""
    return re.compile("|".join(translate(glob.lower()) for glob in globs))
