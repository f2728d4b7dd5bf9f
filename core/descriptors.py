"""How many files and sockets this process may have open."""

from contextlib import suppress

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

#: Kept for connections to providers, for those that are being refused, and for files.
RESERVED = 1500


def raised() -> int:
    """Raise the limit as far as we may; what it is now, 0 for none."""
    if resource is None:
        return 0
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # a container may forbid it
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 0 if soft == resource.RLIM_INFINITY else soft


def connections(limit: int) -> int:
    """How many clients' connections fit into `limit` descriptors."""
    return max(limit // 4, limit - RESERVED)
