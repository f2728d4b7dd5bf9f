"""Tools that only a provider can run, and who gets them: the one table of which dialect carries which.

A client's own dialect carries all of them, byte for byte. In translation a tool is carried if the provider's encoder
writes it in its own words; what is not carried must not vanish, so that the gate looks here.
"""

from collections.abc import Mapping

from core.dialects.gemini_model import is_current

WEB_SEARCH = "web_search"
#: Dialect of a provider to what its encoder writes for clients of other dialects.
ENCODED: Mapping[str, frozenset[str]] = {
    "anthropic": frozenset({WEB_SEARCH}),
    "gemini": frozenset({WEB_SEARCH}),
    "openai-responses": frozenset({WEB_SEARCH}),
}
#: Beginnings of the types of tools without which a request would be another one: the provider runs them, or only its
#: models know what they are. Types that are missing here (a search among tools that are offered anyway, an adviser)
#: are left out for other dialects.
NEEDED = (
    "bash_",
    "code_execution",
    "code_interpreter",
    "computer",
    "file_search",
    "memory_",
    "text_editor",
    "web_fetch",
)


def carries(client: str, provider: str, tool: str) -> bool:
    """Whether a tool of a client's dialect reaches a provider of that one. `loopback` runs none and says so."""
    return provider in {client, "loopback"} or tool in ENCODED.get(provider, ())


def searches_alone(provider: str, model: str) -> bool:
    """Whether a model takes a search only without other tools beside it: Gemini's before generation 3."""
    return provider == "gemini" and not is_current(model)
