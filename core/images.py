"""How large an image is, from the first bytes of its file, and so what it costs (`image_rules`).

Nothing is decoded as an image, nothing is fetched. Sizes are read as PNG, JPEG (ITU T.81), GIF and WebP define them.
"""

import binascii
import struct
from struct import unpack_from

from core.image_rules import rule_of
from core.messages import Source

#: No model's name is longer.
NAME_CHARS = 256
#: Base64 characters looked at: a JPEG's size may follow 64 KB of EXIF and a colour profile.
PEEK = (64, 4096, 262_144)
#: Markers of a JPEG frame (SOF0–SOF15) but DHT, JPG and DAC, which share the range.
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
STANDALONE = frozenset(range(0xD0, 0xD8)) | {0x01, 0xFF}


def image_tokens(source: Source | None, model: str = "") -> int:
    """Tokens of one image for a model; the most that one may cost when its size cannot be seen (a URL, a file id, an
    unknown format).
    """
    rule = rule_of(model[:NAME_CHARS])
    size = base64_size(source.data) if source and source.type == "base64" else None
    return rule.tokens(*size) if size else rule.most


def base64_size(data: str) -> tuple[int, int] | None:
    """Width and height in pixels of a base64 file, reading as little of it as will do; None when that fails."""
    for peek in PEEK:
        try:
            size = pixel_size(binascii.a2b_base64(data[:peek]))
        except (binascii.Error, ValueError):
            return None
        if size or peek >= len(data):
            return size
    return None


def pixel_size(head: bytes) -> tuple[int, int] | None:
    """Width and height from the beginning of a file, or None: unknown format, too little of it, or an empty image."""
    try:
        width, height = _read(head)
    except (struct.error, IndexError):
        return None
    return (width, height) if width and height else None


def _read(head: bytes) -> tuple[int, int]:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return unpack_from(">II", head, 16)
    if head.startswith((b"GIF87a", b"GIF89a")):
        return unpack_from("<HH", head, 6)
    if head.startswith(b"\xff\xd8"):
        return _jpeg(head)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _webp(head)
    return 0, 0


def _jpeg(head: bytes) -> tuple[int, int]:
    at = 2
    while True:
        if head[at] != 0xFF:
            return 0, 0
        marker = head[at + 1]
        if marker in START_OF_FRAME:
            height, width = unpack_from(">HH", head, at + 5)
            return width, height
        at += 1 if marker == 0xFF else 2 if marker in STANDALONE else 2 + unpack_from(">H", head, at + 2)[0]


def _webp(head: bytes) -> tuple[int, int]:
    kind = head[12:16]
    if kind == b"VP8 ":  # lossy: 14 bits each, the upper two are a scale
        width, height = unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":  # lossless: 14 bits each, minus one, after a signature byte
        (bits,) = unpack_from("<I", head, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":  # extended: 24 bits each, minus one
        return int.from_bytes(_exactly(head, 24), "little") + 1, int.from_bytes(_exactly(head, 27), "little") + 1
    return 0, 0


def _exactly(head: bytes, at: int) -> bytes:
    return bytes((head[at], head[at + 1], head[at + 2]))
