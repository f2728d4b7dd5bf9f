import base64
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from wasm_modules import patient

from wasm_host import signature
from wasm_host.files import Unusable
from wasm_host.signature import SigningKey, key_id, message, parse_line, parse_public, verify

DIGEST = hashlib.sha256(b"module").digest()
#: RFC 8032, section 7.1, test 1.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = base64.b64encode(bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")).decode()


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return SigningKey.read(key_file(tmp_path, base64.b64encode(SEED)))


def key_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "key"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_the_message_names_format_contract_and_module() -> None:
    assert message(b"digest") == b"terraphim-rule-signature/1\0terraphim-rule/1\0digest"


def test_a_signature_is_one_line_and_holds_for_these_bytes_only(key: SigningKey) -> None:
    line = key.sign(DIGEST)
    assert line.decode().split()[:3] == ["terraphim-rule-signature/1", "ed25519", key_id(PUBLIC)]
    signer, value = parse_line(line)
    assert (signer, key.public) == (key_id(PUBLIC), PUBLIC)
    assert verify(PUBLIC, value, DIGEST)
    assert not verify(PUBLIC, value, hashlib.sha256(b"modulf").digest())
    assert not verify(PUBLIC, value[:-1] + bytes([value[-1] ^ 1]), DIGEST)


def test_a_signature_for_another_contract_or_purpose_is_none_for_this_one() -> None:
    private = Ed25519PrivateKey.from_private_bytes(SEED)
    assert verify(PUBLIC, private.sign(message(DIGEST)), DIGEST)
    for other in (message(DIGEST, "terraphim-rule/2"), DIGEST, b"module"):
        assert not verify(PUBLIC, private.sign(other), DIGEST)


def test_what_is_not_exactly_that_line_is_no_signature(key: SigningKey) -> None:
    line = key.sign(DIGEST).rstrip(b"\n")
    parse_line(line)
    # The last character of 64 bytes in base64 has four spare bits: 16 texts would decode to one value.
    spare = line[:-3] + bytes([line[-3] + 1]) + b"=="
    for bad in (b"", line[:-1], line + b"x", line + b"\n\n", line + b"\0", b" " + line, line + b"\n" + line,
                line.replace(b"/1 ", b"/2 "), line.replace(b"ed25519", b"ed448"), line.replace(b"==", b""),
                line.replace(b" ", b"  "), line.upper(), b"\xff" * 100):  # fmt: skip
        with pytest.raises(ValueError, match="is not one line"):
            parse_line(bad)
    with pytest.raises(ValueError, match="not canonical base64"):
        parse_line(spare)


@patient
@given(st.binary(max_size=200))
def test_any_bytes_are_judged(data: bytes) -> None:
    with pytest.raises(ValueError, match="is not one line"):
        parse_line(data)


def test_public_keys_are_base64_or_pem() -> None:
    public = Ed25519PrivateKey.from_private_bytes(SEED).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert parse_public(f" {PUBLIC}\n") == parse_public(pem.decode()) == PUBLIC


def test_what_is_no_public_key_is_refused_with_a_reason() -> None:
    p256 = ec.generate_private_key(ec.SECP256R1())
    private = p256.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    other = p256.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()  # fmt: skip
    cases = (("", "neither"), (PUBLIC[:-2], "neither"), (PUBLIC + PUBLIC, "neither"), (private, "neither"),
             (other, "no Ed25519"), (PUBLIC[:-2] + "b=", "not canonical"))  # fmt: skip
    for text, words in cases:
        with pytest.raises(ValueError, match=words) as caught:
            parse_public(text)
        assert private.splitlines()[1] not in str(caught.value)


@pytest.mark.parametrize("sign_bit", [0, 1])
def test_keys_under_which_anybody_could_sign_are_refused(sign_bit: int) -> None:
    prime = 2**255 - 19
    order_8 = int.from_bytes(
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
    )
    for y in (0, 1, prime - 1, prime, prime + 1, order_8, prime - order_8):
        raw = (y | sign_bit << 255).to_bytes(32, "little")
        with pytest.raises(ValueError, match="anybody could sign"):
            parse_public(base64.b64encode(raw).decode())


def test_a_new_key_is_its_owner_s_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "team.key"
    made = SigningKey.generate(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert parse_public((tmp_path / "team.key.pub").read_text()) == made.public == SigningKey.read(path).public
    assert verify(made.public, parse_line(SigningKey.read(path).sign(DIGEST))[1], DIGEST)
    before = path.read_bytes()
    with pytest.raises(Unusable, match="already there"):
        SigningKey.generate(path)
    assert path.read_bytes() == before
    (tmp_path / "other.pub").write_text("x")
    with pytest.raises(Unusable, match=r"other\.pub is already there"):
        SigningKey.generate(tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_private_key_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, base64.b64encode(SEED), mode)
    with pytest.raises(Unusable) as caught:
        SigningKey.read(path)
    assert caught.value.hint == f"run: chmod 600 {path}"


def test_what_holds_no_private_key_is_refused_without_saying_what_it_holds(tmp_path: Path) -> None:
    private = Ed25519PrivateKey.from_private_bytes(SEED)
    encrypted = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"word")
    )
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    text = base64.b64encode(SEED)
    for content in (b"", b"canary", text[:-4], text + text, b"\xff\xfe", other, b"-----BEGIN PRIVATE KEY-----\ncanary"):
        with pytest.raises(Unusable, match="holds no Ed25519 private key") as caught:
            SigningKey.read(key_file(tmp_path, content))
        assert "canary" not in caught.value.message + caught.value.hint
        assert caught.value.__context__ is None
    with pytest.raises(Unusable, match="encrypted"):
        SigningKey.read(key_file(tmp_path, encrypted))
    with pytest.raises(Unusable, match="cannot be read"):
        SigningKey.read(tmp_path / "absent")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(Unusable, match="not a regular file"):
        SigningKey.read(tmp_path / "fifo")


def test_the_library_is_loaded_only_for_signatures() -> None:
    code = "import sys, core.cli, core.generation, wasm_host.audit; print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, timeout=20, check=True)
    assert done.stdout == b"False\n"


@pytest.mark.parametrize(
    ("text", "is_key"),
    [(PUBLIC, True), ("-----BEGIN PUBLIC KEY-----", True), ("team.pub", False), ("keys/a", False), ("", False)],
)
def test_names_of_files_are_not_taken_for_keys(text: str, is_key: bool) -> None:
    assert signature.looks_like_key(text) is is_key
