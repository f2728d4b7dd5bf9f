"""What the human said: a conversation without the words that programs put into it.

Claude Code and Codex send tool results, reminders and traces of slash commands in the user's name. Routing by them
would route by the program's words. Everything here takes time linear in the text, whatever the text is.
"""

import re
from collections.abc import Iterable, Iterator

from core.messages import Block, Message, Request

#: Elements that clients write into user messages (observed: Claude Code 2.1, Codex 0.169).
WRAPPERS = (
    "system-reminder",
    "command-name",
    "command-message",
    "command-args",
    "local-command-caveat",
    "local-command-stdout",
    "local-command-stderr",
    "bash-input",
    "bash-stdout",
    "bash-stderr",
    "user-prompt-submit-hook",
    "user-memory-input",
    "task-notification",
    "environment_context",
    "user_instructions",
)
_OPENING = re.compile(f"<({'|'.join(WRAPPERS)})>")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)
_TAG = "<CCR-SUBAGENT-MODEL>"
_TAG_END = "</CCR-SUBAGENT-MODEL>"


def last_human_text(request: Request, *, skip_code: bool = False) -> str:
    """The last user message that holds words of a human, without wrappers (and without fenced code); may be empty."""
    for message in reversed(request.messages):
        if message.role == "user" and (text := human_text(message, skip_code=skip_code)):
            return text
    return ""


def human_text(message: Message, *, skip_code: bool = False) -> str:
    """The human's words in one message."""
    parts = (without_wrappers(block.text) for block in message.content if block.type == "text" and block.text)
    text = "\n".join(filter(None, parts))
    return without_code(text) if skip_code else text


def without_wrappers(text: str) -> str:
    """`text` without the elements of `WRAPPERS`; one that is never closed is left as it is."""
    if "<" not in text:
        return text.strip()
    kept, at, unclosed = [], 0, set()
    while opening := _OPENING.search(text, at):
        name = opening[1]
        end = -1 if name in unclosed else text.find(f"</{name}>", opening.end())
        if end < 0:
            unclosed.add(name)  # later ones cannot be closed either: never look again
            kept.append(text[at : opening.end()])
            at = opening.end()
        else:
            kept.append(text[at : opening.start()])
            at = end + len(name) + 3
    kept.append(text[at:])
    return "".join(kept).strip()


def without_code(text: str) -> str:
    """`text` without fenced code blocks (CommonMark: a fence is closed by one of its kind and at least its length)."""
    kept, at, fence = [], 0, ""
    for mark in _FENCE.finditer(text):
        if not fence:
            kept.append(text[at : mark.start()])
            fence = mark[1]
        elif mark[1].startswith(fence):
            fence = ""
            at = text.find("\n", mark.end()) + 1 or len(text)
    return "".join([*kept, "" if fence else text[at:]]).strip()


def find_subagent_tag(request: Request) -> str:
    """What stands in the first `<CCR-SUBAGENT-MODEL>` of the system text or the first two user messages; else empty."""
    for block in _tag_places(request):
        begin = block.text.find(_TAG)
        if begin >= 0 and (end := block.text.find(_TAG_END, begin)) >= 0:
            return block.text[begin + len(_TAG) : end].strip()
    return ""


def without_subagent_tag(text: str) -> str:
    """`text` without any subagent tag: it is for the proxy, not for the model."""
    kept, *tagged = text.split(_TAG)
    parts = (part.partition(_TAG_END) for part in tagged)
    return kept + "".join(after if end else _TAG + before for before, end, after in parts)


def _tag_places(request: Request) -> Iterator[Block]:
    yield from _texts(request.system)
    users = (message for message in request.messages if message.role == "user")
    for message, _ in zip(users, range(2), strict=False):
        yield from _texts(message.content)


def _texts(blocks: Iterable[Block]) -> Iterator[Block]:
    return (block for block in blocks if block.type == "text")
