"""What a reasoning item must give back to its provider, as one text: a thinking block has room for one signature.

A Responses provider takes its reasoning back as an item with its own id and its `encrypted_content` (OpenAI's guide,
"Reasoning models", "Encrypted reasoning items"). Both go into the signature of the neutral block.
"""

import base64
import binascii

import msgspec

_decode = msgspec.json.Decoder(tuple[str, str]).decode


def pack(id: str, encrypted: str | None) -> str:
    """The signature of a reasoning item; empty if there is nothing that its provider could read again."""
    return base64.urlsafe_b64encode(msgspec.json.encode((id, encrypted))).decode() if encrypted else ""


def unpack(signature: str) -> tuple[str, str] | None:
    """(id, encrypted content) of a signature that `pack` made, else None."""
    try:
        return _decode(base64.urlsafe_b64decode(signature))
    except (binascii.Error, ValueError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
