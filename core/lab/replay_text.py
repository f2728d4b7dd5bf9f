"""Replays as plain values and as text. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from core.lab.replay import DIFFERS, EQUAL, NOT_REPLAYABLE, PARTIAL, VERDICTS, Difference, Replay
from core.lab.replaying import TOLD, Part
from wasm_host.answer import clean

_SAID = {EQUAL: "equal", PARTIAL: "partial", DIFFERS: "differ", NOT_REPLAYABLE: "not replayable"}


def facts_of(each: Replay, *, show: bool = False) -> dict[str, Any]:
    """One replay, for JSON; `show`: with both sides' bytes."""
    facts: dict[str, Any] = {
        "request_id": each.request_id,
        "at_ms": each.at_ms,
        "snapshot": each.snapshot,
        "verdict": each.verdict,
    }
    if each.why:
        facts["why"] = each.why
    if each.replayed:
        facts["sha256"] = dict(zip(("recorded", "replayed"), each.digests, strict=True))
        facts["taken"] = [{"part": part, "why": why} for part, why in each.taken]
        facts["differences"] = [msgspec.structs.asdict(one) for one in each.differences]
    if each.decision is not None:
        facts["trace"] = [msgspec.structs.asdict(step) for step in each.decision.trace]
    if show:
        facts["bytes"] = {"recorded": each.recorded.decode(), "replayed": each.replayed.decode()}
    return facts


def text_of(each: Replay, *, show: bool = False) -> str:
    """One replay for a person: every step, what was taken, what differs, and the bytes' SHA-256."""
    return "\n".join(map(clean, _lines(each, show=show)))


def _lines(each: Replay, *, show: bool) -> Iterator[str]:
    yield f"{each.request_id}  snapshot {each.snapshot[:12]}  {_SAID[each.verdict]}"
    if each.why:
        yield f"  {each.why}"
    for step in each.decision.trace if each.decision else ():
        detail = ", ".join(f"{key}={_short(value)}" for key, value in step.detail.items())
        yield f"  {step.phase:<9} {step.outcome:<9} {detail}"
    yield from (f"  from the record: {part}: {why}" for part, why in each.taken)
    yield from _differing(each.differences)
    if each.replayed:
        sides = zip(("recorded", "replayed"), each.digests, (each.recorded, each.replayed), strict=True)
        for name, digest, data in sides:
            yield f"  {name}  sha256 {digest}  {len(data)} bytes"
            if show:
                yield f"    {data.decode()}"


def _differing(differences: tuple[Difference, ...]) -> Iterator[str]:
    for one in differences:
        yield f"  differs in {one.phase}, {one.what}"
        yield f"    recorded {_short(one.recorded, 400)}"
        yield f"    replayed {_short(one.replayed, 400)}"


def _short(value: Any, most: int = 120) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= most else f"{text[: most - 1]}…"


def sum_of(whole: Part) -> dict[str, Any]:
    """All replays, for JSON. At most so many of those that differ are told."""
    return {
        "records": sum(whole.verdicts.values()),
        **{verdict: whole.verdicts.get(verdict, 0) for verdict in VERDICTS},
        "not_replayable_because": _counted(whole.reasons),
        "taken": _counted(whole.taken),
        "differing": [facts_of(each) for each in whole.differing],
        "sha256": {"recorded": whole.recorded.hex(), "replayed": whole.replayed.hex()},
    }


def _counted(counts: Mapping[str, int]) -> dict[str, int]:
    """The most first."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def sum_text(facts: Mapping[str, Any]) -> str:
    """`sum_of` for a person."""
    counts = ", ".join(f"{facts[verdict]} {_SAID[verdict]}" for verdict in VERDICTS)
    lines = [f"{facts['records']} records: {counts} ({facts['records_per_second']}/s)"]
    lines += [f"  not replayable  {count}  {why}" for why, count in facts["not_replayable_because"].items()]
    lines += [f"  from the record {count}  {what}" for what, count in facts["taken"].items()]
    for each in facts["differing"]:
        lines.append(f"{each['request_id']} differs")
        lines += _differing(tuple(Difference(**one) for one in each["differences"][:1]))
    if facts["differs"] > len(facts["differing"]):
        lines.append(f"the first {TOLD} that differ are shown; name one to see all of it")
    same = facts["sha256"]["recorded"] == facts["sha256"]["replayed"]
    lines.append(
        f"all decisions' bytes, sha256 {facts['sha256']['recorded']}{', both times' if same else ' as recorded'}"
    )
    return "\n".join(map(clean, lines))
