"""Which conversation a request belongs to, and which program sent it. Header names are lower-case throughout."""

import hashlib
import re
from collections.abc import Iterable, Mapping

import msgspec

from core.messages import Block, Request

SESSION_HEADERS = ("session-id", "session_id")  # Codex
#: A session id is a key of our stores and appears in records: a longer or stranger one is replaced by its hash.
_PLAIN_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
#: Text looked at to name a session that nothing else names.
_HASHED_CHARS = 8192
BILLING = "x-anthropic-billing-header:"
#: First product of a user-agent, lower-cased → the name that rules and records see.
AGENTS = {
    "claude-cli": "claude-code",
    "codex_cli_rs": "codex",
    "codex_exec": "codex",
    "codex-tui": "codex",
    "codex_vscode": "codex",
    "anthropic": "anthropic-sdk",
    "asyncanthropic": "anthropic-sdk",
    "openai": "openai-sdk",
    "asyncopenai": "openai-sdk",
}
_PRODUCT = re.compile(r"[a-z0-9._-]{1,32}")


class _UserId(msgspec.Struct):
    session_id: str = ""


def session_id(request: Request, headers: Mapping[str, str], client_key: str) -> str:
    """The conversation's id: the client's own where it sends one, else a hash of how the conversation begins."""
    for sent in _sent_ids(request, headers):
        if sent:
            return sent if _PLAIN_ID.fullmatch(sent) else _digest(sent)
    return _digest(client_key, _begin(request.system), _begin(_first_user(request)))


def thread_of(request: Request, headers: Mapping[str, str], *, subagent: bool, side: bool) -> str:
    """Which of a session's conversations this is: each has a history, and so a prompt cache, of its own.

    Empty for the main one; a subagent's id, or how its conversation begins; `side` for what the client asks beside
    all of them (a title, a permission check).
    """
    if subagent:
        sent = headers.get("x-claude-code-agent-id", "").strip()
        return f"agent:{sent if _PLAIN_ID.fullmatch(sent) else _digest(sent or _begin(_first_user(request)))}"
    return "side" if side else ""


def _sent_ids(request: Request, headers: Mapping[str, str]) -> Iterable[str]:
    yield headers.get("x-claude-code-session-id", "").strip()
    yield _from_user_id(request.user)
    for name in SESSION_HEADERS:
        yield headers.get(name, "").strip()
    yield headers.get("x-session-id", "").strip()
    yield request.prompt_cache_key.strip()


def _from_user_id(user: str) -> str:
    """`session_id` of today's JSON, or the suffix of yesterday's `user_…_account_…_session_<uuid>`."""
    if user.startswith("{"):
        try:
            return msgspec.json.decode(user, type=_UserId).session_id
        except (msgspec.DecodeError, UnicodeError):
            return ""
    return user.rpartition("_session_")[2] if user.startswith("user_") and "_session_" in user else ""


def _first_user(request: Request) -> list[Block]:
    return next((message.content for message in request.messages if message.role == "user"), [])


def _begin(blocks: Iterable[Block]) -> str:
    """The first `_HASHED_CHARS` of the text, without the billing line, which differs from prompt to prompt."""
    texts = (block.text for block in blocks if block.type == "text" and not block.text.startswith(BILLING))
    found: list[str] = []
    room = _HASHED_CHARS
    for text in texts:
        found.append(text[:room])
        room -= len(found[-1])
        if not room:
            break
    return "\n".join(found)


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()


def agent_of(headers: Mapping[str, str]) -> str:
    """The client program: a known name, else the first product of its user-agent, else empty."""
    product = headers.get("user-agent", "").partition("/")[0].strip().lower()
    known = AGENTS.get(product)
    if known:
        return known
    return product if _PRODUCT.fullmatch(product) else ""
