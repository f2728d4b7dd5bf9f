"""No address is reached that should not be: tried in a network where every address answers, and all is counted."""

from pathlib import Path
from typing import Any, Final

from prove import cage
from prove.section import Section

#: A hang bound, in seconds.
PATIENCE_S: Final = 900.0
#: The issue's number of spellings.
LEAST: Final = 400


def section(folder: Path, every: int) -> Section:
    """Each n-th spelling of a forbidden address, in every way in which it can be given."""
    title = "addresses: spellings of forbidden addresses, in a network where every address answers"
    if not cage.unshare():
        return Section(title, skipped="no network namespace can be made here (unshare -n -m); run it as root")
    folder.mkdir(parents=True)
    seen = cage.inside("prove.addresses_inside", str(folder), str(every), home=folder / "home", patience_s=PATIENCE_S)
    return judged(title, seen, every)


def judged(title: str, seen: dict[str, Any], every: int) -> Section:
    """`seen` maps a way to what was tried, what connected and what should have connected and did not."""
    counts, findings = {}, []
    for way, what in seen.items():
        counts[way] = f"{what['tried']} tried, {what['connected']} connected"
        expected = what["expected"]
        findings += [f"{way}: {one}" for one in what["wrong"]]
        if expected is None and what["connected"]:
            findings.append(f"{way}: {what['connected']} connections to forbidden addresses")
        if expected is not None and what["connected"] < expected:
            findings.append(f"{way}: only {what['connected']} of at least {expected} connected: nothing is shown")
    least = LEAST // every
    spelled = sum(seen[way]["tried"] for way in ("literal", "literal, IPv6"))
    if spelled < least:
        findings.append(f"only {spelled} spellings of {least} were tried")
    guarded = [what for what in seen.values() if what["expected"] is None]
    tried, connected = (sum(what[key] for what in guarded) for key in ("tried", "connected"))
    return Section(title, counts, findings, f"{connected} connections in {tried} attempts to reach a forbidden address")
