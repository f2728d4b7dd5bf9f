"""`rules run --body`: what a rule would be shown of a real request, computed as the proxy computes it."""

import time
from pathlib import Path
from typing import Any

import msgspec

from core.dialects import CLIENTS
from core.errors import ProxyError
from core.exchange import Features, SessionState
from core.explain import dialect_of
from core.features import FeatureSettings, extract
from core.rolegraph import load_taxonomy
from core.routing.custom import granted_texts
from core.routing.decide import decide
from core.routing.snapshot import Snapshot, build
from core.settings import Loaded
from core.tokens import TokenCounter
from wasm_host.rule import Rule, RuleSet


def view_of(loaded: Loaded, rule: Rule, body: bytes) -> tuple[dict[str, Any], frozenset[str]]:
    """The request's view and the configured targets. ValueError for a body that is none, or for which no rule is asked.

    `body` is in the form of any API that the proxy speaks; it comes without headers. The rule is asked before every
    other phase, whatever the order is.
    """
    snapshot = _snapshot(loaded, rule)
    try:
        features = _features(snapshot, rule, body)
    except ProxyError as exc:
        raise ValueError(f"the body is no request: {exc.message}") from None
    asking = decide(snapshot, features, SessionState())
    try:
        ask = next(asking)
    except StopIteration as end:
        what = f"no rule is asked for this body, its target is decided before ({end.value.reason})"
        raise ValueError(f"{what}; give it another model") from None
    asking.close()
    return dict(ask.view), ask.targets


def _snapshot(loaded: Loaded, rule: Rule) -> Snapshot:
    """The configuration with this rule alone, asked first."""
    settings = loaded.settings
    routing = settings.routing.model_copy(update={"order": ("custom", "default")})
    rules = RuleSet(rules=(rule,), wants=rule.plan.wants())
    taxonomy = load_taxonomy(settings.taxonomy.dir or Path())  # its routes are targets too
    return build(settings.model_copy(update={"routing": routing}), taxonomy, rules)


def _features(snapshot: Snapshot, rule: Rule, body: bytes) -> Features:
    request = CLIENTS[dialect_of("", {}, body)].decode_request(body)
    settings = FeatureSettings(background_models=snapshot.settings.routing.background_models)
    count = TokenCounter().count(request)
    features = extract(request, {}, token_count=count, settings=settings, client_key="")
    return msgspec.structs.replace(
        features,
        now_ms=time.time_ns() // 1_000_000,
        tz_offset_min=time.localtime().tm_gmtoff // 60,
        granted=granted_texts(rule.plan.wants(), request, {}),
    )
