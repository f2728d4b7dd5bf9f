"""The way out: the only package that talks to providers.

- `client` sends a request and gives back a `Reply`: status, headers, raw bytes.
- `fetching` gets a file of the web for a client: public addresses only.
- `connections` is the pool: what a connection may send us, and when one is used again.
- `resolver` looks names up and judges every address (`core.addresses` says how).
- `failures` says what an error means: how far the request got, and what a client may read of it.
"""

from core.upstream.client import MAX_ANSWER, Reply, Upstream
from core.upstream.connections import Counts
from core.upstream.failures import classify
from core.upstream.fetching import fetch

__all__ = ["MAX_ANSWER", "Counts", "Reply", "Upstream", "classify", "fetch"]
