"""What a decision is made from, gathered from a request on its way: two steps, before and after its session is known.

Pure: the pipeline reads sessions and what was learned, and so does the lab, which plays traffic without a proxy.
"""

from collections.abc import Mapping

import msgspec

from core.calibration import corrected, factor_of
from core.call import Call
from core.client_names import named
from core.exchange import Features
from core.features import FeatureSettings, extract
from core.routing.custom import granted_texts


def facts(call: Call, tokens: int) -> Features:
    """What the request, decoded and counted, says itself. BadRequest if a key stands where a name is expected."""
    features = extract(
        call.request,
        call.headers,
        token_count=tokens,
        settings=FeatureSettings(background_models=call.snapshot.settings.routing.background_models),
        client_key=call.exchange.client_key,
    )
    return named(features, call.snapshot, call.redactor)


def completed(call: Call, features: Features, factors: Mapping[str, float]) -> Features:
    """With what the session says of tokens, the moment, and what rules were granted. `factors`: see `calibration`."""
    expected = features.model if "," in features.model else call.session.last_target
    by = factor_of(factors, expected, features.model, call.snapshot.default.model)
    return msgspec.structs.replace(
        features,
        token_count=corrected(features.token_count, by),
        counted=features.token_count,
        token_factor=by,
        now_ms=call.now_ms,
        tz_offset_min=call.tz_offset_min,
        seed=int(call.exchange.request_id[-8:], 16),
        allowed=call.allowed,
        granted=granted_texts(call.snapshot.rules.wants, call.request, call.headers),
    )
