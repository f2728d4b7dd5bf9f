"""Wire formats: what each one's parts are is in `base`, what there is, here."""

import time
import uuid
from collections.abc import Mapping
from types import MappingProxyType

from core.dialects.anthropic import Anthropic
from core.dialects.anthropic_request import decode_count
from core.dialects.base import Dialect, ProviderDialect
from core.dialects.gemini import Gemini
from core.dialects.ollama import Ollama
from core.dialects.openai_chat import OpenAIChat
from core.dialects.openai_responses import OpenAIResponses

__all__ = ["CLIENTS", "PROVIDERS", "decode_count"]


def _new_id() -> str:
    return f"proxy_{uuid.uuid4().hex[:24]}"


#: The dialects that clients may speak, by name. Each is a provider's, too.
CLIENTS: Mapping[str, Dialect] = MappingProxyType(
    {
        dialect.name: dialect
        for dialect in (Anthropic(), OpenAIChat(time.time, _new_id), OpenAIResponses(time.time, _new_id))
    }
)
#: Dialect by `providers.NAME.dialect`. `loopback` is no wire format: it answers with neutral values.
PROVIDERS: Mapping[str, ProviderDialect] = MappingProxyType(
    {**CLIENTS, "gemini": Gemini(_new_id), "ollama": Ollama(_new_id)}
)
