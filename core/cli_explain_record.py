"""`explain RECORD`: why a request on record went where it went, and what came of it."""

from pathlib import Path
from typing import Any

import msgspec

from core.decision_record import Record, Result
from core.explain import explanation
from core.explain.costs import dollars, of_usage
from core.lab.again import inputs_of
from core.routing.snapshot import Snapshot
from core.schema import Settings
from core.snapshots import NAME, SnapshotError, SnapshotStore


def explain(settings: Settings, state: Path, cache: Path, request_id: str) -> dict[str, Any]:
    """The explanation, with what was used and what came of it; `{"error": …}` if there is no such record.

    `state` is the state folder, `cache` where compiled modules are.
    """
    from core import recording
    from core.state import ledger
    from core.state.sqlite import Unusable

    folder = recording.decisions_of(settings.records, state)
    if folder is None:
        return _error("decisions are not recorded: set records.store and records.decisions")
    try:
        record = ledger.find(folder, request_id)
    except Unusable as exc:
        return _error(str(exc))
    if record is None:
        return _error(f"no request {request_id} is on record in {folder}: see terraphim-proxy records list")
    try:
        return of_record(record, SnapshotStore(state / NAME, cache).load(record.snapshot))
    except SnapshotError as exc:
        return of_record(record, None, str(exc))


def of_record(record: Record, snapshot: Snapshot | None, why_not: str = "") -> dict[str, Any]:
    """The explanation of a record. Without its snapshot it says what the record says alone; `why_not` is why."""
    looked = any(step.phase == "pattern" for step in record.decision.trace)
    matches = record.matches if looked else None
    decision = msgspec.structs.replace(record.decision, asked=record.asked, matches=matches)
    shown = explanation(decision, inputs_of(record), snapshot, chars=record.chars)
    shown["record"] = {"request_id": record.request_id, "at_ms": record.at_ms, "endpoint": record.endpoint}
    shown["record"] |= {"captured": record.words is not None}
    if snapshot is None:
        shown["record"]["without_snapshot"] = why_not
    return shown | {"result": _result(record.result)}


def _result(result: Result) -> dict[str, Any]:
    """`micro_usd` is None if nobody knows what all of it cost."""
    known = result.cost is not None and not result.cost.unpriced
    return {
        "status": result.status,
        "error": result.error,
        "answered_by": str(result.answered_by) if result.answered_by else None,
        "attempts": [
            {"target": str(attempt.target), "outcome": attempt.outcome, "ms": round(attempt.ms)}
            for attempt in result.attempts
        ],
        "usage": of_usage(result.usage),
        "lost": of_usage(result.lost),
        "micro_usd": result.cost.micros if known and result.cost else None,
        "usd": dollars(result.cost.micros) if known and result.cost else None,
        "stop_reason": result.stop_reason,
        "cache": result.cache,
        "simulated": result.simulated,
        "whole": result.whole,
        "ms": result.ms,
    }


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message}}
