from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wasm_host import trust
from wasm_host.audit import audit, changes, lock_of
from wasm_host.files import Unusable
from wasm_host.signature import SigningKey, key_id
from wasm_host.trust import Policy, render_lock

KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))
POLICY = Policy(public_keys=(KEY.public,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.wat", "a.toml", "b.wasm", "alone.toml", "notes.txt"):
        (tmp_path / name).write_text(name)
    return tmp_path


def lock(folder: Path) -> None:
    (folder / trust.LOCK_NAME).write_bytes(render_lock(lock_of(folder)))


def test_a_lock_holds_modules_and_their_manifests(folder: Path) -> None:
    assert sorted(lock_of(folder)) == ["a.toml", "a.wat", "b.wasm"]


#: A name that would be two lines of a lock.
INJECTED = f'b.wat" = "{"0" * 64}"\n"c.wat'


@pytest.mark.parametrize("name", ["B.wasm", "a b.wat", "ä.wat", "a\n.wat", "\x1b[31m.wat", INJECTED])
def test_what_no_lock_can_hold_is_named(folder: Path, name: str) -> None:
    lock(folder)
    (folder / name).write_text("x")
    with pytest.raises(Unusable, match="is no name of a rule's file"):
        lock_of(folder)
    [wrong] = [standing for standing in audit(folder, POLICY) if standing.problem]
    assert "is no name of a rule's file" in wrong.problem
    assert str(wrong).isprintable()
    (folder / name).unlink()
    (folder / "c.wat").symlink_to(folder / "a.wat")
    with pytest.raises(Unusable, match=r"c\.wat is a symbolic link"):
        lock_of(folder)


def test_changes_are_named_by_kind() -> None:
    before, after = {"a.wat": "1", "b.wat": "1", "c.wat": "1"}, {"b.wat": "2", "c.wat": "1", "d.wat": "1"}
    assert changes(before, after) == [("a.wat", "gone"), ("b.wat", "changed"), ("d.wat", "new")]
    assert changes(after, after) == []


def test_who_vouches_for_what(folder: Path) -> None:
    assert [bool(standing.problem) for standing in audit(folder, POLICY)] == [True, True]
    lock(folder)
    material = trust.examine(folder / "a.wat", 100)
    (folder / "a.wat.sig").write_bytes(KEY.sign(bytes.fromhex(material.evidence.sha256)))
    signed, locked = audit(folder, POLICY)
    assert (str(signed), signed.trust) == (f"a.wat: locked, signed by {key_id(KEY.public)}", "signed")
    assert (str(locked), locked.trust) == ("b.wasm: locked", "locked")
    [demanded] = audit(folder / "b.wasm", Policy(public_keys=(KEY.public,), require_signature=True))
    assert (demanded.locked, "is not signed" in demanded.problem) == (False, True)


def test_every_difference_is_a_problem(folder: Path) -> None:
    lock(folder)
    (folder / "a.toml").unlink()
    (folder / "b.wasm").unlink()
    (folder / "c.wat").write_text("c")
    (folder / "d.wat").mkdir()
    found = {standing.file: standing.problem for standing in audit(folder, POLICY)}
    assert "a.toml is gone" in found["a.wat"]
    assert f"is in plugins.lock and not in {folder}" in found["b.wasm"]
    assert "is not in plugins.lock" in found["c.wat"]
    assert "is not a regular file" in found["d.wat"]
    assert len(found) == 4


def test_a_lock_that_cannot_be_relied_upon(folder: Path) -> None:
    (folder / trust.LOCK_NAME).write_text("x")
    assert [standing.file for standing in audit(folder, POLICY) if standing.problem] == [
        "plugins.lock", "a.wat", "b.wasm",
    ]  # fmt: skip
    (folder / trust.LOCK_NAME).unlink()
    missing = audit(folder, Policy(require_lock=True))[0]
    assert (missing.file, "is missing" in missing.problem) == ("plugins.lock", True)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="cannot be read"):
        lock_of(tmp_path / "nowhere")
    [standing] = audit(tmp_path / "nowhere", POLICY)
    assert "No such file" in standing.problem
