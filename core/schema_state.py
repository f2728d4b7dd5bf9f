"""What the configuration says of guards and of what is kept: limits, budgets, sessions, cache, records, Redis."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from core.sections import SecretRef, Section


def _store(value: str) -> str:
    if value not in {"auto", "memory", "redis"}:
        raise ValueError('a store is "memory", "redis" (or its URL), or "auto": redis if redis.url is set')
    return value


def _address(value: str) -> str:
    found = urlsplit(value)
    good = found.scheme in {"redis", "rediss"} and found.hostname and re.fullmatch(r"(/\d*)?", found.path)
    if value and (not good or found.query or found.fragment or found.port == 0):  # port: ValueError beyond 65535
        raise ValueError("not a URL like redis://127.0.0.1:6379/0")
    if found.username or found.password:
        raise ValueError('no password in the URL: write redis.password = { env = "NAME" } or { file = "path" }')
    return value


def with_redis_url(tables: dict[str, Any], stores: Iterable[str]) -> dict[str, Any]:
    """The same tables with a URL that stands as a store (`sessions.store = "redis://…"`) as `redis.url`; ValueError if
    there would be two.
    """
    for name in stores:
        table = tables.get(name)
        store = table.get("store") if isinstance(table, dict) else None
        if not (isinstance(table, dict) and isinstance(store, str) and store.startswith(("redis://", "rediss://"))):
            continue
        redis = tables.get("redis", {})
        if not isinstance(redis, dict):
            return tables
        if redis.get("url", store) != store:
            raise ValueError(
                f'{name}.store is another server than redis.url or another store, and there is only one: write "redis"'
            )
        tables = tables | {name: table | {"store": "redis"}, "redis": redis | {"url": store}}
    return tables


#: Where something is kept: `memory` is this process's own, `redis` is shared by all proxies of one `redis.url`.
Store = Annotated[str, AfterValidator(_store)]


class Rates(Section):
    """At most so many requests, and tokens of any kind, a minute, and so many requests at once. What is left out is
    `[limits]`' for a client key, and not limited elsewhere; 0 is no limit.
    """

    requests_per_minute: int | None = Field(default=None, ge=0)
    tokens_per_minute: int | None = Field(default=None, ge=0)
    input_tokens_per_minute: int | None = Field(default=None, ge=0)
    output_tokens_per_minute: int | None = Field(default=None, ge=0)
    concurrent: int | None = Field(default=None, ge=0)


class LimitSettings(Rates):
    """Limits of each client key (its own `limits` go first), of each client address, and of targets: a provider's name,
    or a glob over `provider,model`. All entries that fit a target count, and targets that fit one entry share it.

    `without_redis`: what counts while Redis cannot be reached: each proxy's own count, or nobody is let through.
    """

    address: Rates = Rates()
    targets: dict[str, Rates] = {}
    store: Store = "auto"
    without_redis: Literal["local", "closed"] = "local"


class Budget(Section):
    """US dollars that a client key may spend in a day and in a month (UTC); what is left out is `[budget]`'s for a
    client key. A `soft` budget refuses nobody: rules see what is left of it.
    """

    day_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    month_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    mode: Literal["hard", "soft"] | None = None


class SessionSettings(Section):
    """What is remembered of sessions, how long after their last request (seconds), and how many of them.

    `sticky`: a session stays with the target whose prompt cache it has filled, unless leaving pays. A provider is taken
    to keep such a cache for `prompt_cache_s` seconds. A concept of at least `follow_priority` is an order, and followed
    at any price; 101 is none.
    """

    store: Store = "auto"
    ttl_s: float = Field(default=3600.0, gt=0, le=366 * 86400)
    max: int = Field(default=10_000, ge=1)
    sticky: bool = True
    prompt_cache_s: float = Field(default=300.0, ge=0, allow_inf_nan=False)
    follow_priority: int = Field(default=80, ge=0, le=101)


class CacheSettings(Section):
    """Answers that are given again to the same request of the same client key. `targets` are globs over
    `provider,model`; without any, nothing is kept. An answer of more than `max_answer_kb` is not kept.
    """

    targets: tuple[str, ...] = ()
    store: Store = "auto"
    ttl_s: float = Field(default=300.0, gt=0, le=30 * 86400)
    max_mb: int = Field(default=64, ge=1)
    max_answer_kb: int = Field(default=1024, ge=1, le=64 * 1024)


class RecordSettings(Section):
    """Usage of every request, in a database at `file`, which must be on a local disk (`records.db` in the state folder
    without it), and its decision, in files in `decisions_dir` (`decisions` in the state folder without it).

    A file of decisions is deleted when all of it is older than `max_age_days`, and the oldest ones when all take more
    than `max_mb`. `capture`: words that rules were granted are kept with the decision.
    `keep_snapshots`: so many snapshots that served are kept, and those that decisions on record refer to.
    """

    store: Literal["sqlite", "none"] = "sqlite"
    file: Path | None = None
    decisions: bool = True
    decisions_dir: Path | None = None
    capture: bool = False
    max_age_days: float = Field(default=30.0, gt=0, le=36_600, allow_inf_nan=False)
    max_mb: int = Field(default=1024, ge=1)
    keep_snapshots: int = Field(default=200, ge=2)


class RedisSettings(Section):
    """The server that several proxies share. `url` is `redis://HOST:PORT/DB`, or `rediss://` for TLS, without a
    password. `ca_file`: who signed its certificate, if not one of the system's authorities. `timeout_ms` bounds each
    command.
    """

    url: Annotated[str, AfterValidator(_address)] = ""
    username: str = ""
    password: SecretRef | None = None
    ca_file: Path | None = None
    timeout_ms: int = Field(default=50, ge=1, le=10_000)
    prefix: str = Field(default="terraphim", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
