"""Tool call ids that every provider accepts.

Anthropic refuses an id outside `^[a-zA-Z0-9_-]+$`; some servers of OpenAI's dialect make `functions.Bash:0`. A call and
its result are changed alike, so they still belong together.
"""

import re

_UNSAFE = re.compile(r"[^a-zA-Z0-9_-]")


def safe_id(id: str) -> str:
    """The id with every other character as `_`."""
    return _UNSAFE.sub("_", id)
