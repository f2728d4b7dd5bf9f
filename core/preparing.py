"""A request made ready for one candidate: its provider's body, and what is to be changed about the answer."""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from core.dialects.base import Change, Dialect, ProviderDialect
from core.dialects.sealing import Sealing
from core.dialects.stop_strings import cutting
from core.dialects.tool_names import restoring
from core.exchange import Candidate
from core.messages import Request
from core.transformers import Chain, Facts

#: Whose API a dialect is: there its own rules hold, as to what was signed by whom.
_VENDORS = {"anthropic": "anthropic.com"}


class Ready(NamedTuple):
    """What is sent, and what becomes of the answer."""

    body: bytes
    changes: list[Change]


def prepare(
    request: Request,
    client: Dialect,
    dialect: ProviderDialect,
    candidate: Candidate,
    chain: Chain,
    base_url: str,
    *,
    signed: bool = False,
) -> Ready:
    """BadRequest names what cannot be passed on. `signed`: others of the provider's dialect sign reasoning, too."""
    if _is_copy(dialect.name, base_url):
        candidate = msgspec.structs.replace(candidate, copy=True)
    candidate = chain.fitted(candidate)
    same = dialect.name == request.dialect
    body = client.splice_request(request, candidate) if same else dialect.encode_request(request, candidate)
    names = None if same else restoring(request, dialect.name)
    changes: list[Change] = [names] if names else []
    if chain.uses:
        facts = Facts(dialect.name, request, candidate)
        body = chain.body(body, facts)
        changes += chain.changes(facts)
    if not same and (cut := cutting(request, dialect.name)):
        changes.append(cut)
    if same and signed and candidate.copy and request.thinking.type in {"enabled", "adaptive"}:
        changes.append(Sealing(candidate.target.provider))
    return Ready(body, changes)


@lru_cache(maxsize=256)
def _is_copy(dialect: str, base_url: str) -> bool:
    """Whether a provider is not its dialect's vendor; only where that makes a difference."""
    vendor = _VENDORS.get(dialect)
    host = urlsplit(base_url).hostname or ""
    return vendor is not None and host != vendor and not host.endswith(f".{vendor}")
