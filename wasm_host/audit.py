"""What lock and signatures say of a folder's files: for who writes a lock and who looks whether it still holds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from wasm_host import abi, signature, trust
from wasm_host.answer import clean
from wasm_host.files import Unusable
from wasm_host.preflight import Refusal

_LIMIT: Final = abi.LIMITS["module"].cap


class Standing(Struct, frozen=True, kw_only=True):
    """One file: `trust` as in `Rule`, `key_id` of the known key that signed it, `problem` empty if all is well."""

    file: str
    sha256: str = ""
    trust: str = ""
    locked: bool = False
    key_id: str = ""
    problem: str = ""
    hint: str = ""

    def __str__(self) -> str:
        if self.problem:
            return f"{self.file}: {self.problem} ({self.hint})"
        words = (["locked"] if self.locked else []) + ([f"signed by {self.key_id}"] if self.key_id else [])
        return f"{self.file}: {', '.join(words)}"


def modules(folder: Path) -> list[Path]:
    """The module files of a folder, by name. `Unusable` if it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in abi.SUFFIXES)
    except OSError as exc:
        raise Unusable(f"cannot be read: {exc.strerror}", "name the folder with the rules") from None


def lock_of(folder: Path) -> dict[str, str]:
    """The lock that allows exactly what is in the folder now. `Unusable` names the first file that no lock can hold."""
    lock: dict[str, str] = {}
    paths = modules(folder)
    trust.check_names(path.name for path in paths)
    for path in paths:
        try:
            lock |= trust.entries(trust.examine(path, _LIMIT).evidence)
        except Unusable as exc:
            raise Unusable(f"{path.name} {exc.message}", exc.hint) from None
    return lock


def changes(before: trust.Lock, after: trust.Lock) -> list[tuple[str, str]]:
    """(file, "new" | "changed" | "gone") by file name."""
    kinds = ((name, before.get(name), after.get(name)) for name in sorted({*before, *after}))
    return [
        (name, "new" if old is None else "gone" if new is None else "changed") for name, old, new in kinds if old != new
    ]


def audit(path: Path, policy: trust.Policy) -> list[Standing]:
    """How each module of a folder, or one module, stands; then what the lock lists and is not there. `Unusable`."""
    whole = path.is_dir()
    paths = modules(path) if whole else [path]
    folder = path if whole else path.parent
    try:
        lock = trust.read_lock(folder, required=policy.require_lock)
    except Unusable as exc:
        broken = Standing(file=trust.LOCK_NAME, problem=exc.message, hint=exc.hint)
        return [broken, *(_standing(path, policy, None) for path in paths)]
    found = [_standing(path, policy, lock) for path in paths]
    return [*found, *_missing(folder, lock or {}, {path.stem for path in paths})] if whole else found


def _standing(path: Path, policy: trust.Policy, lock: trust.Lock | None) -> Standing:
    try:
        evidence = trust.examine(path, _LIMIT, policy.public_keys).evidence
        trust.check_names([evidence.file])
    except Unusable as exc:
        return Standing(file=clean(path.name), problem=exc.message, hint=exc.hint)
    verdict = trust.judge(policy, lock, evidence)
    if not verdict:
        verdict = Refusal("trust", "is neither locked nor signed by a known key", trust.REVIEW)
    refused = isinstance(verdict, Refusal)
    return Standing(
        file=evidence.file,
        sha256=evidence.sha256,
        trust="" if isinstance(verdict, Refusal) else verdict,
        locked=lock is not None and not refused,
        key_id=signature.key_id(evidence.signed_by) if evidence.signed_by else "",
        problem=verdict.message if isinstance(verdict, Refusal) else "",
        hint=verdict.hint if isinstance(verdict, Refusal) else "",
    )


def _missing(folder: Path, lock: trust.Lock, stems: set[str]) -> Iterator[Standing]:
    """Files of the lock whose rule is not in the folder."""
    for name in lock:
        if Path(name).stem not in stems:
            problem = f"is in {trust.LOCK_NAME} and not in {folder}"
            yield Standing(file=name, problem=problem, hint="copy it there, or run: terraphim-proxy rules lock")
