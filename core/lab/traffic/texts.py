"""What all of generated traffic draws its long texts from: written once, cut anew every time."""

from random import Random
from typing import Final

from core.lab.traffic.writer import Writer

#: Characters that are written of each kind.
PROSE, CODE = 60_000, 200_000
#: Greyscale PNGs of 800 x 600, 1280 x 720 and 64 x 64, all of one shade.
PNGS: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAyAAAAJYAQAAAACyDb/dAAAA6ElEQVR42u3NMQEAAAwCIPuX1hbbAwVID0QikUgkEolEIpFIJBKJRCKR"
    "SCQSiUQikUgkEolEIpFIJBKJRCKRSCQSiUQikUgkEolEIpFIJBKJRCKRSCQSiUQikUgkEolEIpFIJBKJRCKRSCQSiUQikUgkEolEIpFI"
    "JBKJRCKRSCQSiUQikUgkEolEIpFIJBKJRCKRSCQSiUQikUgkEolEIpFIJBKJRCKRSCQSiUQikUgkEolEIpFIJBKJRCKRSCQSiUQikUgk"
    "EolEIpFIJBKJRCKRSCQSiUQikUgkEolEIpFIJBKJRCL5TQZi5oNIWL0OEAAAAABJRU5ErkJggg==",
    "iVBORw0KGgoAAAANSUhEUgAABQAAAALQAQAAAADnBuD7AAAB3ElEQVR42u3OAQ0AAAwCIPuX1hr/BglIj4ugoKCgoKCgoKCgoKCgoKCg"
    "oKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCg"
    "oKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCg"
    "oKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCg"
    "oKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCg"
    "oKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCg"
    "oKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKDgr+AAsd5YQVhb5vAAAAAASUVORK5CYII=",
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQAAAACCEkxzAAAAEklEQVR42mP4DwUMo4xRBukMAOPT/hAC2mzjAAAAAElFTkSuQmCC",
)  # fmt: skip


class Texts:
    """Prose and code of one seed, given out in pieces that begin anywhere."""

    def __init__(self, seed: int | str) -> None:
        writer = Writer(f"texts {seed}")
        self._prose, self._code = writer.prose(PROSE), writer.code(CODE)

    def prose(self, random: Random, characters: int) -> str:
        """Sentences; the first may lack its beginning."""
        return _cut(self._prose, random, characters, " ")

    def code(self, random: Random, characters: int) -> str:
        """Whole lines but for the last."""
        return _cut(self._code, random, characters, "\n")


def _cut(text: str, random: Random, characters: int, border: str) -> str:
    parts: list[str] = []
    while characters > 0:
        at = text.find(border, random.randrange(len(text) - 2_000)) + 1
        parts.append(text[at : at + characters])
        characters -= len(parts[-1])
    return "".join(parts)


def picture(random: Random) -> str:
    """One of a few PNGs, in base64."""
    return random.choice(PNGS)
