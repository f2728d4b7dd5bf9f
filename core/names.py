"""What may be a name, and what stands for words that are none. Pure."""

from hashlib import blake2b
from typing import Final

#: No name is longer.
LONGEST: Final = 256


def is_name(text: str) -> bool:
    """Printable ASCII without a space; every provider's names are that."""
    return len(text) <= LONGEST and text.isascii() and text.isprintable() and " " not in text


def cut(text: str) -> str:
    """At most so much of what stands for a name as one may be long, with a mark that says how much is gone."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…[+{len(text) - LONGEST} characters]"


def mark(text: str) -> str:
    """What stands for words that are no name."""
    return f"#{blake2b(text.encode('utf-8', 'replace'), digest_size=8).hexdigest()}"
