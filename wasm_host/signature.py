"""Ed25519 signatures of modules (RFC 8032): one line of text in `NAME.wasm.sig` or `NAME.wat.sig`.

    terraphim-rule-signature/1 ed25519 KEYID SIGNATURE

KEYID is the first 16 hex digits of the public key's SHA-256, SIGNATURE standard base64. What is signed is the format's
name, the ABI's name and the SHA-256 of the file's bytes, so that a signature means nothing anywhere else. The rule's
name and its manifest are not covered: an author signs a module, and the operator decides what to call it.

Keys are raw 32 bytes in base64, or PEM (PKCS #8, SubjectPublicKeyInfo) as OpenSSL writes them. The library is loaded
only to make or to check a signature.
"""

import base64
import binascii
import hashlib
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasm_host import abi
from wasm_host.files import Unusable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORMAT: Final = "terraphim-rule-signature/1"
SUFFIX: Final = ".sig"
#: Bytes of a signature's or a key's file: several times what they hold.
SIGNATURE_SIZE: Final = 1024
KEY_SIZE: Final = 4096

_LINE: Final = re.compile(re.escape(FORMAT).encode() + rb" ed25519 ([0-9a-f]{16}) ([A-Za-z0-9+/]{86}==)\n?")
_RAW_KEY: Final = re.compile(r"[A-Za-z0-9+/]{43}=")
#: DER of an Ed25519 SubjectPublicKeyInfo before its 32 key bytes (RFC 8410, section 4).
_SPKI: Final = bytes.fromhex("302a300506032b6570032100")
_P: Final = 2**255 - 19
#: y of the points of small order: under such a key, signatures of any message can be found by trying.
_ORDER_8: Final = 2707385501144840649318225287225658788936804267575313519463743609750303402022
_WEAK: Final = frozenset({0, 1, _P - 1, _ORDER_8, _P - _ORDER_8})


def message(module_sha256: bytes, abi_name: str = abi.NAME) -> bytes:
    """What is signed: format, ABI and the raw digest of the module's bytes, separated by NUL."""
    return b"\0".join((FORMAT.encode(), abi_name.encode(), module_sha256))


def key_id(public: str) -> str:
    """The short name of a public key (base64)."""
    return hashlib.sha256(base64.b64decode(public)).hexdigest()[:16]


def parse_public(text: str) -> str:
    """A public key, base64 or PEM, as canonical base64. ValueError says what is wrong with it."""
    text = text.strip()
    if text.startswith("-----BEGIN PUBLIC KEY-----"):
        raw = _from_pem(text)
    elif _RAW_KEY.fullmatch(text):
        raw = _decode(text)
    else:
        raise ValueError("not an Ed25519 public key: neither 44 characters of base64 nor PEM (BEGIN PUBLIC KEY)")
    y = int.from_bytes(raw, "little") & ((1 << 255) - 1)
    if y >= _P or y in _WEAK:
        raise ValueError("not a usable Ed25519 public key: anybody could sign for it")
    return base64.b64encode(raw).decode()


def looks_like_key(text: str) -> bool:
    """Whether a text is meant as a key and not as the name of a file."""
    return _RAW_KEY.fullmatch(text) is not None or text.startswith("-----BEGIN")


def _from_pem(text: str) -> bytes:
    body = "".join(line for line in text.splitlines() if not line.startswith("-----"))
    data = _decode(body)
    if len(data) != len(_SPKI) + 32 or not data.startswith(_SPKI):
        raise ValueError("the PEM holds no Ed25519 public key")
    return data[len(_SPKI) :]


def _decode(text: str) -> bytes:
    """Canonical base64 only: one text for each value, no spare bits, nothing around it."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as exc:
        raise ValueError(f"not base64: {exc}") from None
    if base64.b64encode(data).decode() != text:
        raise ValueError("not canonical base64")
    return data


def parse_line(data: bytes) -> tuple[str, bytes]:
    """Key id and signature of a signature file. ValueError if it is anything but that one line."""
    match = _LINE.fullmatch(data)
    if match is None:
        raise ValueError(f"is not one line `{FORMAT} ed25519 KEYID SIGNATURE`")
    return match[1].decode(), _decode(match[2].decode())


def verify(public: str, signature: bytes, module_sha256: bytes) -> bool:
    """Whether `signature` is that of the module under this key (base64)."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - 80 ms that only signatures cost
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - as above

    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(public)).verify(signature, message(module_sha256))
    except InvalidSignature:
        return False
    return True


class SigningKey:
    """A private key. It never leaves this object but into the file that `generate` makes."""

    def __init__(self, private: "Ed25519PrivateKey") -> None:
        self._private = private
        self.public = base64.b64encode(private.public_key().public_bytes_raw()).decode()

    def sign(self, module_sha256: bytes) -> bytes:
        """The content of the signature file of a module."""
        signature = base64.b64encode(self._private.sign(message(module_sha256))).decode()
        return f"{FORMAT} ed25519 {key_id(self.public)} {signature}\n".encode()

    @classmethod
    def read(cls, path: Path) -> "SigningKey":
        """The key in a file that only its owner may read: PEM (PKCS #8) or base64 of 32 bytes. `Unusable` if not."""
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - as in `verify`
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

        data = _read_private(path).strip()
        try:
            if not data.startswith(b"-----BEGIN"):
                return cls(Ed25519PrivateKey.from_private_bytes(_decode(data.decode("ascii"))))
            private = load_pem_private_key(data, password=None)
        except TypeError:
            raise Unusable("is encrypted", f"decrypt it first: openssl pkey -in {path} -out FILE") from None
        except (ValueError, UnsupportedAlgorithm):  # whose texts may quote the file
            private = None
        if not isinstance(private, Ed25519PrivateKey):
            raise Unusable("holds no Ed25519 private key", f"make one: rules sign --new-key {path}.new")
        return cls(private)

    @classmethod
    def generate(cls, path: Path) -> "SigningKey":
        """A new key in a new file (PEM, mode 0600), its public half in `PATH.pub`. `Unusable` if it cannot be."""
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as in `verify`
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

        halves = path, path.with_name(path.name + ".pub")
        for half in halves:
            if os.path.lexists(half):
                raise Unusable(f"{half.name} is already there", "a key is never overwritten: choose another name")
        private = Ed25519PrivateKey.generate()
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        key = cls(private)
        _write_new(halves[0], pem, 0o600)
        _write_new(halves[1], f"{key.public}\n".encode(), 0o644)
        return key


def _read_private(path: Path) -> bytes:
    """A private key's file. A link may lead to it, as where secrets are mounted; its rights are what counts."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise Unusable("is not a regular file", "name the file that holds the private key")
            if info.st_mode & 0o077:
                raise Unusable("others may read or write this private key", f"run: chmod 600 {path}")
            return file.read(KEY_SIZE)
    except OSError as exc:
        raise Unusable(f"cannot be read: {exc.strerror}", "name the file that holds the private key") from None


def _write_new(path: Path, data: bytes, mode: int) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
            file.write(data)
    except OSError as exc:
        raise Unusable(f"cannot be written: {exc.strerror}", "choose another place") from None
