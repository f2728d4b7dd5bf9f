"""The snapshot: everything that a decision depends on besides the request, frozen, with an id.

A reload builds a whole new one and swaps one reference; a request keeps the one that it began with.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from core.catalogue import Catalogue, shipped
from core.errors import Problem
from core.exchange import Target
from core.rolegraph import Matcher, Taxonomy
from core.routing.canary import Canaries
from core.routing.permission import permitted
from core.routing.runtime import RuntimeSettings
from core.routing.snapshot_id import digest_of, parts_of
from core.schema import ModelCard, Settings
from core.transformers import Chain
from core.transformers import chain as chain_of
from wasm_host.rule import RuleSet

UNKNOWN = ModelCard()
#: What rules see of a target beside its name and prices.
_SEEN = {"context_window", "images", "tools", "thinking"}


@dataclass(frozen=True)
class Snapshot:
    """Settings, taxonomy, rules and targets of one generation."""

    settings: Settings
    taxonomy: Taxonomy
    matcher: Matcher
    rules: RuleSet
    targets: Mapping[Target, ModelCard]
    catalogue: Catalogue
    #: SHA-256 of the canonical bytes of all that changes decisions, 64 hex digits, and what it is made from.
    digest: str
    parts: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def id(self) -> str:
        return self.digest[:12]

    @cached_property
    def canaries(self) -> Canaries:
        """The rules as each session is to ask them."""
        return Canaries(self.rules.rules)

    @cached_property
    def by_lower_name(self) -> Mapping[str, Target]:
        return {str(target).lower(): target for target in self.targets}

    @cached_property
    def target_names(self) -> frozenset[str]:
        return frozenset(map(str, self.targets))

    @cached_property
    def addresses(self) -> Mapping[Target, str]:
        """Each target's provider's address: at another one it is another target."""
        return {target: self.settings.providers[target.provider].base_url for target in self.targets}

    @cached_property
    def runtime(self) -> RuntimeSettings:
        routing = self.settings.routing
        return RuntimeSettings(
            long_context_threshold=routing.long_context_threshold,
            long_context_hysteresis=routing.long_context_hysteresis,
            thinking_min_effort=routing.thinking_min_effort,
        )

    @cached_property
    def runtime_routes(self) -> Mapping[str, Target]:
        """By scenario. With an image agent, images go to whom it asks; the request goes its own way."""
        routes = self.settings.routing.runtime.model_dump(exclude_none=True)
        agent = self.settings.routing.image_agent
        return {
            scenario: Target.parse(name) for scenario, name in routes.items() if not (agent and scenario == "image")
        }

    def image_agent(self, target: Target, images: int, allowed: tuple[str, ...] = ()) -> Target | None:
        """Who looks at the images of a request for a target that is known to read none; None if nobody does, or if its
        client may not ask who would.
        """
        routing = self.settings.routing
        if not (images and routing.image_agent and routing.runtime.image) or self.card(target).images is not False:
            return None
        looks = Target.parse(routing.runtime.image)
        provider = self.settings.providers.get(looks.provider)
        usable = provider is not None and provider.dialect != "loopback" and self.card(looks).images is not False
        usable = usable and permitted(str(looks), allowed)
        return looks if usable and not self.settings.simulated else None

    @cached_property
    def fallback(self) -> tuple[Target, ...]:
        return tuple(map(Target.parse, self.settings.routing.fallback))

    @cached_property
    def chains(self) -> Mapping[str, tuple[Target, ...]]:
        """Fallbacks by scenario or by a target's name."""
        return {name: tuple(map(Target.parse, chain)) for name, chain in self.settings.routing.fallbacks.items()}

    @cached_property
    def default(self) -> Target:
        return Target.parse(self.settings.routing.default)

    @cached_property
    def target_views(self) -> list[dict[str, Any]]:
        """The targets as rules see them (ABI, "The request"), as long as nothing else is known of them."""
        return [_view(target, card) for target, card in self.targets.items()]

    @cached_property
    def target_name_views(self) -> list[dict[str, str]]:
        return [{"name": str(target)} for target in self.targets]

    def card(self, target: Target) -> ModelCard:
        """What is known of a target, listed here or not."""
        known = self.targets.get(target)
        return _card(self.catalogue, self.settings, target) if known is None else known

    @cached_property
    def signers_differ(self) -> bool:
        """Whether several hosts speak Anthropic's dialect: each refuses thinking that another one has signed."""
        anthropic = (each for each in self.settings.providers.values() if each.dialect == "anthropic")
        return len({each.base_url for each in anthropic}) > 1

    @cached_property
    def _transformers(self) -> Mapping[tuple[str, str], Chain]:
        """By provider and model; the empty model stands for those that are not listed."""
        return {
            (name, model): chain_of(provider.transformers, card.transformers)
            for name, provider in self.settings.providers.items()
            for model, card in {"": UNKNOWN, **provider.models}.items()
        }

    def transformers(self, target: Target) -> Chain:
        """What is done to requests and answers of this target."""
        return self._transformers.get(target) or self._transformers[target.provider, ""]

    def open_to(self, allowed: tuple[str, ...]) -> frozenset[str]:
        """Names of the targets that a client's key may ask."""
        if not allowed:
            return self.target_names
        return frozenset(name for name in self.target_names if permitted(name, allowed))


def build(settings: Settings, taxonomy: Taxonomy, rules: RuleSet, catalogue: Catalogue | None = None) -> Snapshot:
    """A snapshot of these parts. Problems of the parts are kept, none of them stops the snapshot."""
    catalogue = catalogue or shipped()
    parts = parts_of(settings, taxonomy, rules, catalogue)
    problems = [*taxonomy.problems]
    problems += [Problem(problem.path, 0, problem.message, problem.hint) for problem in rules.problems]
    return Snapshot(
        settings=settings,
        taxonomy=taxonomy,
        matcher=Matcher(taxonomy, scoring=settings.taxonomy.scoring),
        rules=rules,
        targets=_targets(settings, taxonomy, catalogue),
        catalogue=catalogue,
        digest=digest_of(parts),
        parts=parts,
        problems=tuple(problems),
    )


def _targets(settings: Settings, taxonomy: Taxonomy, catalogue: Catalogue) -> dict[Target, ModelCard]:
    """Every target that is named in model tables, routing, or taxonomy routes of configured providers."""
    listed = [Target(name, model) for name, provider in settings.providers.items() for model in provider.models]
    routing = settings.routing
    named = [routing.default, *routing.fallback, *routing.runtime.model_dump(exclude_none=True).values()]
    for key, chain in routing.fallbacks.items():
        named += chain if "," not in key else [key, *chain]
    named += [route.target for concept in taxonomy.concepts for route in concept.routes]
    listed += [target for target in _parsed(named) if target.provider in settings.providers]
    # Sorted, for rules see them in this order: that of keys in a file must change nothing.
    return {target: _card(catalogue, settings, target) for target in sorted(set(listed))}


def _card(catalogue: Catalogue, settings: Settings, target: Target) -> ModelCard:
    provider = settings.providers.get(target.provider)
    return catalogue.card(target.provider, provider, target.model) if provider else UNKNOWN


def _parsed(names: Iterable[str]) -> Iterable[Target]:
    for name in names:
        try:
            yield Target.parse(name)
        except ValueError:
            continue


def _view(target: Target, card: ModelCard) -> dict[str, Any]:
    view: dict[str, Any] = {"name": str(target), "healthy": True}
    view.update(card.model_dump(include=_SEEN, exclude_none=True))
    dollars = card.price.model_dump(exclude={"cache_write"}, exclude_none=True)
    if dollars:
        view["price"] = {kind: round(price * 1_000_000) for kind, price in dollars.items()}
    return view
