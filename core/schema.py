"""What the configuration may say: one frozen model a table, unknown keys refused.

The docstring of a table and the default of a key are the user's documentation of them.
"""

import re
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from core.exchange import Target
from core.schema_observe import LogSettings, TraceSettings
from core.schema_rollout import RolloutSettings
from core.schema_state import (
    Budget,
    CacheSettings,
    LimitSettings,
    Rates,
    RecordSettings,
    RedisSettings,
    SessionSettings,
    Store,
    with_redis_url,
)
from core.sections import SecretRef, Section
from core.transformers import mistakes

Scenario = Literal["image", "web_search", "long_context", "thinking", "background"]
Phase = Literal["runtime", "custom", "pattern", "default"]
#: Whose models the catalogue that ships knows (`core/_data/models.json`); `none` turns it off for a provider.
Catalogued = Literal[
    "anthropic", "cerebras", "deepseek", "fireworks", "gemini", "groq", "mistral", "moonshotai", "ollama", "openai",
    "openrouter", "together", "xai", "zai", "none",
]  # fmt: skip


class ServerKey(Section):
    """A client; `name` is what logs and rules see of it. Of several `keys` each is as good: so one is exchanged for
    another while both are in use.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    key: SecretRef | None = None
    keys: tuple[SecretRef, ...] = ()
    #: Targets that it may ask, as globs over `provider,model`; all if there are none.
    targets: tuple[str, ...] = ()
    limits: Rates = Rates()
    budget: Budget = Budget()

    @model_validator(mode="after")
    def _has_a_secret(self) -> "ServerKey":
        if (self.key is None) == (not self.keys):
            raise ValueError("give key or keys, not both" if self.keys else "key is missing")
        return self

    @property
    def refs(self) -> tuple[SecretRef, ...]:
        """Where its secrets are, whichever way they are named."""
        return self.keys if self.key is None else (self.key,)


class ServerSettings(Section):
    """Where the proxy listens, whom it serves, and what a client may cost. `hosts` are further Host names that requests
    may carry. Clocks are seconds: a whole head, a body's time beside its `body_rate` (bytes a second), between two
    requests, and for a client that takes nothing of what it was sent.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=3456, ge=0, le=65535)
    keys: tuple[ServerKey, ...] = ()
    #: For the page and `/admin/*`; without one, a random one is kept in the state folder (`admin-token`).
    admin_token: SecretRef | None = None
    hosts: tuple[str, ...] = ()
    #: Networks of proxies that may say for whom they ask (X-Forwarded-For, Forwarded).
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    max_body_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    #: When it is told to stop, in seconds: how long it still takes new connections, and how long what is under way may
    #: take after that.
    #: Processes that serve the port together; `auto`: one for each processor.
    workers: Annotated[int, Field(ge=1, le=64)] | Literal["auto"] = 1
    drain_delay_s: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    drain_s: float = Field(default=30.0, ge=0, allow_inf_nan=False)
    max_head_bytes: int = Field(default=64 * 1024, ge=1024, le=1024 * 1024)
    max_headers: int = Field(default=128, ge=16)
    header_s: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    body_s: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    body_rate: int = Field(default=32 * 1024, ge=1)
    idle_s: float = Field(default=75.0, gt=0, allow_inf_nan=False)
    write_s: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    max_connections: int = Field(default=4096, ge=1)
    max_in_flight: int = Field(default=1000, ge=1)
    #: 0: four fifths of the control group's limit, or else half of what is available at the start.
    max_memory_mb: int = Field(default=0, ge=0)


class Price(Section):
    """US dollars a million tokens; what is not known is left out."""

    input: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    output: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    cache_read: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    cache_write: float | None = Field(default=None, ge=0, allow_inf_nan=False)


def _known_transformers(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if wrong := mistakes(value):
        raise ValueError("; ".join(wrong))
    return value


#: Names, or tables with a name and options.
Transformers = Annotated[tuple[Any, ...], AfterValidator(_known_transformers)]


class ModelCard(Section):
    """What a model can do and costs. Sizes are tokens; what is not known is left out, and passes the gate marked
    `unverified`.

    `context_window` holds what is sent and the answer, of which at most `max_input` may be sent. `thinking_mode` is how
    an Anthropic model is told to think: by a budget of tokens, as much as it sees fit, or either way. `effort` and
    `sampling` (temperature, top_p, top_k) say whether it takes those parameters at all.
    `transformers` follow its provider's, and take the place of those of the same name.
    """

    context_window: int | None = Field(default=None, gt=0)
    max_input: int | None = Field(default=None, gt=0)
    max_output: int | None = Field(default=None, gt=0)
    images: bool | None = None
    tools: bool | None = None
    thinking: bool | None = None
    thinking_mode: Literal["budget", "adaptive", "both"] | None = None
    effort: bool | None = None
    sampling: bool | None = None
    web_search: bool | None = None
    price: Price = Price()
    transformers: Transformers = ()


class UpstreamSettings(Section):
    """Clocks of the way out, in seconds.

    `connect_s`: look-up, connection and TLS together. `first_content_s`: from the request to the first content;
    `between_content_s`: from one to the next; what a provider sends only to keep the connection alive is no content.
    `total_s`: the whole answer, however lively it is.
    """

    connect_s: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    first_content_s: float = Field(default=300.0, gt=0, allow_inf_nan=False)
    between_content_s: float = Field(default=120.0, gt=0, allow_inf_nan=False)
    total_s: float = Field(default=3600.0, gt=0, allow_inf_nan=False)


class ImageSettings(Section):
    """Images that a client names by URL, for providers that take no URLs. Only public addresses are asked.

    `max_bytes` and `fetch_s` (seconds) bound one image, `max_count` and `max_total_bytes` the different ones of one
    request.
    """

    fetch: bool = True
    max_bytes: int = Field(default=10 * 1024 * 1024, ge=1024)
    max_count: int = Field(default=20, ge=1)
    max_total_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    fetch_s: float = Field(default=10.0, gt=0, allow_inf_nan=False)


class ProviderClocks(Section):
    """One provider's own clocks; those that are left out are `[upstream]`'s."""

    connect_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    first_content_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    between_content_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    total_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)


class ProviderSettings(Section):
    """One provider. `any_model` lets clients name models that are not listed here. `catalogue` says whose models these
    are; without it the provider's name does, or its address.

    `api_keys` is a pool: its keys take turns, and stand in for one that is refused or told to wait.
    """

    dialect: Literal["anthropic", "openai", "openai-responses", "gemini", "ollama", "loopback"]
    base_url: str = Field(default="", pattern=r"^(https?://[^\s?#@]+)?$")
    api_key: SecretRef | None = None
    api_keys: tuple[SecretRef, ...] = ()
    allow_private: bool = False
    any_model: bool = False
    catalogue: Catalogued | None = None
    clocks: ProviderClocks = ProviderClocks()
    transformers: Transformers = ()
    models: dict[str, ModelCard] = {}

    @model_validator(mode="after")
    def _reachable(self) -> "ProviderSettings":
        if self.dialect != "loopback" and not self.base_url:
            raise ValueError("base_url is missing")
        return self

    @model_validator(mode="after")
    def _one_way_to_name_keys(self) -> "ProviderSettings":
        if self.api_key is not None and self.api_keys:
            raise ValueError("give api_key or api_keys, not both")
        return self

    @model_validator(mode="after")
    def _transformers_fit(self) -> "ProviderSettings":
        wrong = mistakes(self.transformers, self.dialect)
        for name, card in self.models.items():
            wrong += [f"models.{name}: {why}" for why in mistakes(card.transformers, self.dialect)]
        if wrong:
            raise ValueError("transformers: " + "; ".join(wrong))
        return self

    @property
    def key_refs(self) -> tuple[SecretRef, ...]:
        """Where its keys are, whichever way they are named."""
        return self.api_keys if self.api_key is None else (self.api_key,)

    @field_validator("base_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        address = urlsplit(value)
        if value and not (value.isprintable() and address.hostname and (address.port is None or address.port)):
            raise ValueError("not a URL with a host")
        return value


def _target(value: str) -> str:
    return str(Target.parse(value))


class RuntimeRoutes(Section):
    """Targets of the runtime scenarios; a scenario without one passes on."""

    image: str | None = None
    web_search: str | None = None
    long_context: str | None = None
    thinking: str | None = None
    background: str | None = None

    @field_validator("*")
    @classmethod
    def _is_target(cls, value: str | None) -> str | None:
        return None if value is None else _target(value)


class RoutingSettings(Section):
    """How requests are decided. Thresholds are tokens.

    `web_search`: whether a search that the client wants its provider to run may be left out for a target that cannot be
    asked for it, as long as other tools are on offer.

    `fallbacks` are chains by scenario or target, which are asked before `fallback`, the last resort of all.
    """

    order: tuple[Phase, ...] = ("runtime", "custom", "pattern", "default")
    default: str
    fallback: tuple[str, ...] = ()
    fallbacks: dict[str, tuple[str, ...]] = {}
    runtime: RuntimeRoutes = RuntimeRoutes()
    long_context_threshold: int = Field(default=60_000, gt=0)
    long_context_hysteresis: int = Field(default=20_000, ge=0)
    thinking_min_effort: Literal["low", "medium", "high", "xhigh", "max"] = "high"
    background_models: tuple[str, ...] = ("*haiku*",)
    image_agent: bool = False
    web_search: Literal["required", "optional"] = "required"

    @field_validator("default")
    @classmethod
    def _default_is_target(cls, value: str) -> str:
        return _target(value)

    @field_validator("fallback")
    @classmethod
    def _fallback_is_targets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_target, value))

    @field_validator("fallbacks")
    @classmethod
    def _chains(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        scenarios = get_args(Scenario)
        for name in value:
            if name not in scenarios and "," not in name:
                raise ValueError(f"{name!r} is neither a scenario ({', '.join(scenarios)}) nor a 'provider,model'")
        return {
            name if name in scenarios else _target(name): tuple(map(_target, chain)) for name, chain in value.items()
        }

    @field_validator("order")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a phase may stand in the order once")
        if "default" not in value:
            raise ValueError('the order must contain "default", which always answers')
        return value


class PluginSettings(Section):
    """Where rules are, where they run, and which are let in. Public keys are base64 or files that hold one."""

    dir: Path | None = None
    isolation: Literal["process", "inline"] = "process"
    #: Processes that rules run in.
    workers: int = Field(default=2, ge=1, le=32)
    require_lock: bool = False
    require_signature: bool = False
    public_keys: tuple[str, ...] = ()
    rollout: RolloutSettings = RolloutSettings()

    @field_validator("rollout")
    @classmethod
    def _promotes_nobody_unnamed(cls, value: RolloutSettings) -> RolloutSettings:
        if value.auto == "promote":  # it would promote whatever somebody tries in shadow
            raise ValueError('auto = "promote" is said for one rule: [rules.NAME.rollout]')
        return value


class TaxonomySettings(Section):
    """Where the taxonomy is, and how its matches are scored."""

    dir: Path | None = None
    scoring: Literal["rank", "legacy"] = "rank"


class ResilienceSettings(Section):
    """What happens after a failure. `attempts` counts all tries at one target, the first included.

    `max_wait_s`: a provider that asks to wait longer is not asked again; the client is told. `breaker`: targets that
    keep failing are passed over.
    """

    attempts: int = Field(default=2, ge=1, le=10)
    max_wait_s: float = Field(default=5.0, ge=0, le=60)
    breaker: bool = True
    store: Store = "auto"


#: Tables with a `store`.
STORES = ("resilience", "limits", "sessions", "cache")


class Settings(Section):
    """The whole configuration, without secrets."""

    server: ServerSettings = ServerSettings()
    providers: dict[str, ProviderSettings]
    routing: RoutingSettings
    plugins: PluginSettings = PluginSettings()
    rules: dict[str, dict[str, Any]] = {}
    taxonomy: TaxonomySettings = TaxonomySettings()
    upstream: UpstreamSettings = UpstreamSettings()
    images: ImageSettings = ImageSettings()
    resilience: ResilienceSettings = ResilienceSettings()
    limits: LimitSettings = LimitSettings()
    budget: Budget = Budget()
    sessions: SessionSettings = SessionSettings()
    cache: CacheSettings = CacheSettings()
    records: RecordSettings = RecordSettings()
    redis: RedisSettings = RedisSettings()
    log: LogSettings = LogSettings()
    traces: TraceSettings = TraceSettings()
    #: Answers are simulated by loopback; set by the embedded default only.
    simulated: bool = Field(default=False, exclude=True)

    @cached_property
    def clocks(self) -> dict[str, UpstreamSettings]:
        """The clocks of each provider."""
        return {
            name: self.upstream.model_copy(update=provider.clocks.model_dump(exclude_none=True))
            for name, provider in self.providers.items()
        }

    @model_validator(mode="before")
    @classmethod
    def _one_redis(cls, value: object) -> object:
        return with_redis_url(value, STORES) if isinstance(value, dict) else value

    def kept_in(self, store: str) -> tuple[str, ...]:
        """The tables whose `store` says exactly this."""
        return tuple(name for name in STORES if getattr(self, name).store == store)

    @property
    def shared(self) -> tuple[str, ...]:
        """The tables whose state is in Redis."""
        return tuple(name for name in STORES if self.redis.url and getattr(self, name).store != "memory")

    @field_validator("providers")
    @classmethod
    def _names(cls, value: dict[str, ProviderSettings]) -> dict[str, ProviderSettings]:
        for name in value:
            if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
                raise ValueError(f"provider name {name!r}: lower-case letters, digits, - and _ only")
        return value
