"""A record as the ledger keeps it: JSON, compressed, and what chains one to the next. Pure.

hash = SHA-256(hash of the one before ‖ JSON), where the first of a file stands on the hash of the file's header.
"""

import zlib
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import msgspec

from core.decision_record import Record
from core.state.ledger_words import WORDS

#: What is longer is no record of ours (captured words are the whole of a conversation at most).
LARGEST: Final = 256 * 1024 * 1024
#: The first byte of a body says which words its compression began with; bodies of every version can be read for ever.
VERSION: Final = 1
_DICTIONARIES: Final[Mapping[int, bytes]] = {VERSION: WORDS}


#: Has read the dictionary. A window as large as that and a record are together is copied sooner than zlib's largest.
_PACKING: Final = zlib.compressobj(wbits=13, memLevel=6, zdict=_DICTIONARIES[VERSION])


class Damaged(ValueError):
    """These bytes are no record; the message says why."""


def encode(record: Record) -> bytes:
    """The JSON that is hashed."""
    return msgspec.json.encode(record)


def pack(plain: bytes) -> bytes:
    """Compressed by zlib (RFC 1950) from a preset dictionary, behind the dictionary's number."""
    packing = _PACKING.copy()
    return bytes([VERSION]) + packing.compress(plain) + packing.flush()


def unpack(body: bytes) -> bytes:
    """What `pack` was given; Damaged."""
    words = _DICTIONARIES.get(body[0]) if body else None
    if words is None:
        raise Damaged("it is compressed in a way that this program does not know")
    unpacking = zlib.decompressobj(zdict=words)
    try:
        plain = unpacking.decompress(memoryview(body)[1:], LARGEST)
    except zlib.error as exc:
        raise Damaged(f"it cannot be decompressed: {exc}") from None
    if not unpacking.eof or unpacking.unused_data:
        raise Damaged("it cannot be decompressed: there is more or less of it than there should be")
    return plain


def decode(plain: bytes) -> Record:
    """The record; Damaged."""
    try:
        return msgspec.json.decode(plain, type=Record)
    except (msgspec.DecodeError, UnicodeError, ValueError, RecursionError) as exc:
        raise Damaged(f"it is no record: {exc}") from None


def genesis(header: bytes) -> bytes:
    """What the first record of a file stands on."""
    return sha256(header).digest()


def link(before: bytes, plain: bytes) -> bytes:
    """The hash of a record that stands behind the one of hash `before`."""
    return sha256(before + plain).digest()
