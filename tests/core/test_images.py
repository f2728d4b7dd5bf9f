import base64
import struct
import zlib

import pytest

from core.images import base64_size, image_tokens, pixel_size
from core.messages import Source


def png(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def jpeg(width: int, height: int, *, exif: int = 0, marker: int = 0xC0) -> bytes:
    frame = struct.pack(">BBHBHHB", 0xFF, marker, 17, 8, height, width, 3) + bytes(9)
    app = struct.pack(">BBH", 0xFF, 0xE1, exif + 2) + bytes(exif) if exif else b""
    table = b"\xff\xc4\x00\x04\x01\x02"  # a Huffman table's marker lies in the range of the frames'
    return b"\xff\xd8" + app + table + b"\xff" + frame


def webp(kind: bytes, payload: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(payload) + 12) + b"WEBP" + kind + struct.pack("<I", len(payload)) + payload


FILES = {
    "png": png(640, 480),
    "gif87": b"GIF87a" + struct.pack("<HH", 640, 480),
    "gif89": b"GIF89a" + struct.pack("<HH", 640, 480) + b"\x00" * 9,
    "jpeg": jpeg(640, 480),
    "jpeg progressive after EXIF": jpeg(640, 480, exif=60_000, marker=0xC2),
    "webp lossy": webp(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", 640 | 0x4000, 480)),
    "webp lossless": webp(b"VP8L", b"\x2f" + struct.pack("<I", 639 | 479 << 14)),
    "webp extended": webp(b"VP8X", bytes(4) + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")),
}


@pytest.mark.parametrize("head", FILES.values(), ids=FILES)
def test_the_size_is_read_from_the_header(head: bytes) -> None:
    assert pixel_size(head) == (640, 480)
    assert base64_size(base64.b64encode(head).decode()) == (640, 480)


@pytest.mark.parametrize("head", FILES.values(), ids=FILES)
def test_a_file_cut_anywhere_is_unknown_or_the_same_but_never_an_error(head: bytes) -> None:
    cuts = range(len(head)) if len(head) < 200 else (0, 1, 2, 3, 5, 100, len(head) - 20)

    assert {pixel_size(head[:cut]) for cut in cuts} <= {None, (640, 480)}


@pytest.mark.parametrize("head", [b"", b"BM" + bytes(60), b"\xff\xd8\x00\x00", b"\xff\xd8" + b"\xff" * 99, png(0, 5)])
def test_what_has_no_size_is_unknown(head: bytes) -> None:
    assert pixel_size(head) is None


@pytest.mark.parametrize(
    "source",
    [
        None,
        Source(type="url", url="https://example.org/a.png"),
        Source(type="base64", data="%%%"),
        Source(type="base64", data="é"),
        Source(type="base64", data=base64.b64encode(b"BM" + bytes(9999)).decode()),
    ],
)
def test_an_image_that_cannot_be_seen_costs_the_most(source: Source | None) -> None:
    assert image_tokens(source) == 1568
    assert image_tokens(source, "gpt-4o") == 85 + 8 * 170


def test_a_small_image_costs_little() -> None:
    small = Source(type="base64", data=base64.b64encode(png(200, 200)).decode())
    assert image_tokens(small) == image_tokens(small, "claude-sonnet-4-5") == 64
    assert image_tokens(small, "x" * 100_000) == 64
