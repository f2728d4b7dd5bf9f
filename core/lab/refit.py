"""A record's inputs under another snapshot: what depends on settings and is no fact of the request is made anew. Pure.

What would have to be read off the request again, or was not looked at then, cannot be: `NotCaptured`.
"""

from collections.abc import Collection, Mapping

import msgspec

from core.calibration import corrected, factor_of
from core.exchange import Features, Inputs
from core.features import BACKGROUND_CLASSES, fits
from core.lab.again import NotCaptured
from core.routing.snapshot import Snapshot

#: By the name of a client's key, the targets that it may ask (globs).
Keys = Mapping[str, tuple[str, ...]]


def refitted(inputs: Inputs, own: Snapshot | None, other: Snapshot, keys: Keys | None = None) -> Inputs:
    """The inputs as they would have been under `other`. `own` is the snapshot that they were recorded under, None if it
    is not known; `keys` are the clients' if those are another configuration's too.
    """
    features = inputs.features
    _same_job(features, own, other)
    _looked_at("targets.facts", "how targets were", own.rules.wants if own else (), other.rules.wants)
    named = features.model if "," in features.model else inputs.session.last_target
    by = factor_of(inputs.factors, named, features.model, other.default.model)
    counted = features.counted or features.token_count
    changes: dict[str, object] = {}
    if features.counted and by != features.token_factor:
        changes |= {"token_count": corrected(counted, by), "token_factor": by}
    if keys is not None and features.client_key in keys:
        changes["allowed"] = keys[features.client_key]
    return msgspec.structs.replace(inputs, features=msgspec.structs.replace(features, **changes))


def _same_job(features: Features, own: Snapshot | None, other: Snapshot) -> None:
    """Whether a request is a background job decides which conversation it belongs to, so what was remembered of it."""
    if own is None or features.request_class in BACKGROUND_CLASSES:
        return
    before, after = (shot.settings.routing.background_models for shot in (own, other))
    if before != after and fits(features.model, before) != fits(features.model, after):
        raise NotCaptured("routing.background_models: the session of a request that comes to be a background job")


def _looked_at(part: str, what: str, before: Collection[str], after: Collection[str]) -> None:
    if part in after and part not in before:
        raise NotCaptured(f"{what}: a rule reads it, and none did then")
