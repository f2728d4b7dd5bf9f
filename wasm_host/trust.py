"""Whether a rule's files may be used: `plugins.lock`, detached signatures, and the operator's policy.

Two independent promises. The **lock** says which bytes of which file were reviewed: modules and the manifests beside
them, by SHA-256; where it is, it is enforced. It lies beside what it locks, so it stops what changes by mistake and
what nobody reviewed, and not somebody who may write to the folder. A **signature** says who made a module and holds
against that too; it covers neither the name nor the manifest, and does not stop the return of an older signed version.

`examine` reads each file once; `judge` is pure, and is asked again for a rule that already serves: the last good
version is good only as long as the lock and the keys in force allow it.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from wasm_host import abi, files, signature
from wasm_host.files import Unusable
from wasm_host.preflight import Refusal

LOCK_NAME: Final = "plugins.lock"
LOCK_SIZE: Final = 256 * abi.KIB
MANIFEST_SIZE: Final = 64 * abi.KIB

#: What to do with a file that nobody vouches for.
REVIEW: Final = "review it, then run: terraphim-proxy rules lock"
_HEADER: Final = (
    "# The files of this folder that may run, with their SHA-256. `terraphim-proxy rules lock` writes it.\n"
)
_NAME: Final = re.compile(abi.NAME_PATTERN)
_HASH: Final = re.compile(r"[0-9a-f]{64}")


class Policy(Struct, frozen=True, kw_only=True):
    """The operator's demands. `public_keys` are canonical base64 (`signature.parse_public`)."""

    require_lock: bool = False
    require_signature: bool = False
    public_keys: tuple[str, ...] = ()


class Evidence(Struct, frozen=True, kw_only=True):
    """What was found out about a rule's bytes as they were read. Digests are hex; `manifest` is empty without one.

    `signature` is the digest of the signature's file; `signer` is the key id that it names, `signed_by` the configured
    key (base64) under which it holds; `fault` says why it is no good. All are empty if no keys are configured.
    """

    file: str
    sha256: str
    manifest: str = ""
    signature: str = ""
    signer: str = ""
    signed_by: str = ""
    fault: str = ""


class Material(Struct, frozen=True):
    """A rule's bytes, read once, and what they prove. `manifest` is None if there is no NAME.toml, `signature` if there
    is none or none was looked for.
    """

    module: bytes
    manifest: bytes | None
    signature: bytes | None
    evidence: Evidence


class _LockFile(Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    abi: Annotated[str, Meta(max_length=64)]
    files: dict[str, str] = {}


Lock = Mapping[str, str]


def read_lock(folder: Path, *, required: bool = False) -> Lock | None:
    """File name -> SHA-256 of the folder's lock; None if there is none. `Unusable` if it cannot be relied upon."""
    data = lock_bytes(folder, required=required)
    return None if data is None else parse_lock(data)


def lock_bytes(folder: Path, *, required: bool = False) -> bytes | None:
    """The lock as it is written; None if there is none. `Unusable` if it cannot be read, or must be there."""
    data = files.read_if_there(folder / LOCK_NAME, LOCK_SIZE)
    if data is None and required:
        raise Unusable("is missing, and plugins.require_lock is set", REVIEW)
    return data


def parse_lock(data: bytes) -> Lock:
    """The lock in a text; `Unusable` for anything that `render_lock` would not write."""
    try:
        lock = msgspec.convert(tomllib.loads(data.decode()), _LockFile)
    except (ValueError, RecursionError) as exc:  # TOML's, UTF-8's and msgspec's errors
        what = "nested too deeply" if isinstance(exc, RecursionError) else str(exc)
        raise Unusable(f"is not a lock: {what[:200]}", REVIEW) from None
    if lock.abi != abi.NAME:
        raise Unusable(f"is for {lock.abi[:64]!r}, this host runs {abi.NAME!r}", REVIEW)
    check_names(lock.files)
    for name, digest in lock.files.items():
        if not _HASH.fullmatch(digest):
            raise Unusable(f"{name}: {digest[:80]!r} is not a SHA-256 of 64 hex digits", REVIEW)
    return lock.files


def check_names(names: Iterable[str]) -> None:
    """`Unusable` for the first name that no rule's file can have; what passes needs no quoting anywhere."""
    for name in names:
        stem, dot, suffix = name.rpartition(".")
        if not _NAME.fullmatch(stem) or dot + suffix not in (*abi.SUFFIXES, ".toml"):
            hint = "rename or remove it, then run: terraphim-proxy rules lock"
            raise Unusable(f"{name[:80]!r} is no name of a rule's file", hint)


def render_lock(lock: Lock) -> bytes:
    """The text of a lock of checked names: a line a file, in their order, so that a change is a line of a diff."""
    lines = [f'"{name}" = "{lock[name]}"\n' for name in sorted(lock)]
    return f'{_HEADER}version = 1\nabi = "{abi.NAME}"\n\n[files]\n{"".join(lines)}'.encode()


def entries(evidence: Evidence) -> Lock:
    """What a lock says of a rule with these files."""
    lock = {evidence.file: evidence.sha256}
    return lock | {_manifest_of(evidence.file): evidence.manifest} if evidence.manifest else lock


def examine(path: Path, limit: int, keys: tuple[str, ...] = ()) -> Material:
    """Read a module (at most `limit` bytes) with its manifest and, if there are keys, its signature. `Unusable`."""
    module = files.read(path, limit, too_large="build for size, or let the operator raise limits.module")
    manifest = _beside(path.with_suffix(".toml"), MANIFEST_SIZE)
    digest = hashlib.sha256(module)
    signed, fault = _signature_beside(path) if keys else (None, "")
    signer, signed_by, wrong = _verified(signed, digest.digest(), keys) if signed is not None else ("", "", "")
    evidence = Evidence(
        file=path.name,
        sha256=digest.hexdigest(),
        manifest="" if manifest is None else hashlib.sha256(manifest).hexdigest(),
        signature="" if signed is None else hashlib.sha256(signed).hexdigest(),
        signer=signer,
        signed_by=signed_by,
        fault=fault or wrong,
    )
    return Material(module, manifest, signed, evidence)


def _beside(path: Path, limit: int) -> bytes | None:
    try:
        return files.read_if_there(path, limit)
    except Unusable as exc:
        raise Unusable(f"{path.name} {exc.message}", exc.hint) from None


def _signature_beside(path: Path) -> tuple[bytes | None, str]:
    """The signature's file, and why it cannot be read."""
    try:
        return files.read_if_there(path.with_name(path.name + signature.SUFFIX), signature.SIGNATURE_SIZE), ""
    except Unusable as exc:
        return None, exc.message


def _verified(data: bytes, digest: bytes, keys: tuple[str, ...]) -> tuple[str, str, str]:
    """Key id, the configured key under which the signature holds, and what is wrong with it."""
    try:
        signer, value = signature.parse_line(data)
    except ValueError as exc:
        return "", "", str(exc)
    named = [key for key in keys if signature.key_id(key) == signer]
    holds = next((key for key in named if signature.verify(key, value, digest)), "")
    fault = "" if holds or not named else f"is not the one that key {signer} gave for these bytes and {abi.NAME}"
    return signer, holds, fault


def judge(policy: Policy, lock: Lock | None, evidence: Evidence) -> str | Refusal:
    """The rule's trust ("signed", "locked" or ""), or why the policy or the lock forbids it."""
    wrong = _locked_otherwise(lock, evidence) if lock is not None else None
    wrong = wrong or _signed_otherwise(policy, evidence)
    if wrong:
        return wrong
    if evidence.signed_by in policy.public_keys:
        return "signed"
    return "locked" if lock is not None else ""


def _locked_otherwise(lock: Lock, evidence: Evidence) -> Refusal | None:
    """The first of the rule's files that is not as the lock says. A manifest that is gone is a change as well."""
    manifest = _manifest_of(evidence.file)
    pairs = (("the module", evidence.file, evidence.sha256), (manifest, manifest, evidence.manifest))
    for what, name, found in pairs:
        expected = lock.get(name, "")
        if expected == found:
            continue
        if not expected:
            return Refusal("lock", f"{what} (SHA-256 {found}) is not in {LOCK_NAME}", REVIEW)
        seen = f"has SHA-256 {found}" if found else "is gone"
        return Refusal("lock", f"{what} {seen}, {LOCK_NAME} expects {expected}", REVIEW)
    return None


def _signed_otherwise(policy: Policy, evidence: Evidence) -> Refusal | None:
    file = evidence.file + signature.SUFFIX
    if evidence.fault:
        hint = "get the module and its signature again from their author, or remove the signature"
        return Refusal("signature", f"{file} {evidence.fault}", hint)
    if not policy.require_signature or evidence.signed_by in policy.public_keys:
        return None
    if evidence.signer:
        what = f"{file} is by key {evidence.signer}, which is not one of plugins.public_keys"
        return Refusal("signature", what, "add its public key if you trust it")
    what = f"is not signed ({file} is missing), and plugins.require_signature is set"
    return Refusal("signature", what, f"run: terraphim-proxy rules sign {evidence.file} --key KEYFILE")


def _manifest_of(file: str) -> str:
    return file.rpartition(".")[0] + ".toml"
