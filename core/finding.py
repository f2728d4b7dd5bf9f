"""What `doctor` finds. Pure."""

from msgspec import Struct


class Finding(Struct, frozen=True):
    """One thing that was looked at: `state` says what was found, `hint` what its lack means or what to do. A `note` is
    good to know, and no fault.
    """

    name: str
    ok: bool
    state: str
    hint: str = ""
    note: bool = False


def note(name: str, state: str, hint: str = "") -> Finding:
    """Good to know."""
    return Finding(name, ok=True, state=state, hint=hint, note=True)


def wrong(name: str, state: str, hint: str) -> Finding:
    """A fault, and how it is mended."""
    return Finding(name, ok=False, state=state, hint=hint)
