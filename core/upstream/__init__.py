"""The way out: the only package that talks to providers.

- `client` sends a request and gives back a `Reply`: status, headers, raw bytes.
- `fetching` gets a file of the web for a client: public addresses only.
- `provider_pool` is the connections to one provider: how many, which is used again, who has waited too long.
- `connections` is one of them, made to a judged address; `incoming` the answer that comes over it, piece by piece.
- `reading` is what those bytes are, pure: head, payload, end, and what bounds them.
- `places` says where a URL leads.
- `resolver` looks names up and judges every address (`core.addresses` says how).
- `failures` says what a failure means: how far the request got, and what a client may read of it.
"""

from core.upstream.client import MAX_ANSWER, Reply, Upstream
from core.upstream.fetching import fetch
from core.upstream.provider_pool import Counts

__all__ = ["MAX_ANSWER", "Counts", "Reply", "Upstream", "fetch"]
