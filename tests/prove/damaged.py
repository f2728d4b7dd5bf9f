"""Files that are no longer what their author made: cut off, with flipped bits, empty. Pure."""

import random
from collections.abc import Iterator, Mapping

from prove.smith import Made

#: Heads of files, down to nothing.
STUBS: tuple[bytes, ...] = (
    b"",
    b"\0",
    b"\0asm",
    b"\0asm\x01\0\0",
    b"\0asm\x01\0\0\0",
    b"\0asm\x0d\0\x01\0",
    b"(module",
)


def damaged(modules: Mapping[str, bytes], share: int = 1) -> Iterator[Made]:
    """Each module cut off once and with one bit flipped, in places that its name decides; then the stubs."""
    for name in sorted(modules)[::share]:
        data, rng = modules[name], random.Random(name)  # noqa: S311 - reproducible on purpose
        yield Made("cut off", f"cut off {name}", data[: rng.randrange(len(data))])
        flipped = bytearray(data)
        flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        yield Made("bit flipped", f"bit flipped {name}", bytes(flipped))
    for number, stub in enumerate(STUBS):
        yield Made("stub", f"stub {number}", stub)
