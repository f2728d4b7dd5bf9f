"""What a decision is made from, gathered from a request on its way: two steps, before and after its session is known.

Pure: the pipeline reads sessions and what was learned, and so does the lab, which plays traffic without a proxy.
"""

from collections.abc import Mapping
from hashlib import sha256

import msgspec

from core.calibration import corrected, factor_of
from core.call import Call
from core.errors import BadRequest
from core.exchange import Features
from core.features import FeatureSettings, extract
from core.redaction import Redactor
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
    return _named_without_keys(features, call.redactor)


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


def _named_without_keys(features: Features, known: Redactor) -> Features:
    """Names that a client chooses travel through logs, records and stores: BadRequest if a target's is a key, and a
    session's is replaced.
    """
    for place, name in (("model", features.model), ("CCR-SUBAGENT-MODEL", features.subagent_target)):
        if ("," in name or ":" in name) and known.holds(name):
            raise BadRequest(f"{place}: a key stands here; a target's name is expected")
    if known.holds(features.session_id) or known.holds(features.thread):
        session, thread = (sha256(each.encode()).hexdigest() for each in (features.session_id, features.thread))
        return msgspec.structs.replace(features, session_id=session, thread=thread)
    return features
