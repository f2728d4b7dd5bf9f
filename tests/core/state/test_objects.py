import os
from pathlib import Path

import pytest

from core.state.objects import GRACE_S, Objects
from wasm_host.files import Unusable

OLD_S = 1_000_000.0


def kept(folder: Path, *data: bytes) -> list[str]:
    objects = Objects(folder / "a" / "objects")
    digests = [objects.put(each) for each in data]
    for digest in digests:
        path = objects.folder / digest
        assert path.stat().st_mode & 0o777 == 0o600
    return digests


def test_what_is_put_can_be_had_again_and_is_kept_once(tmp_path: Path) -> None:
    objects = Objects(tmp_path / "a" / "objects")
    one, same, empty = kept(tmp_path, b"one", b"one", b"")
    assert one == same
    assert (objects.get(one), objects.get(empty)) == (b"one", b"")
    assert len(list(objects.folder.iterdir())) == 2
    assert objects.folder.stat().st_mode & 0o777 == 0o700
    assert (objects.has(one), objects.size(one), objects.size("0" * 64)) == (True, 3, 0)


def test_what_was_changed_or_is_gone_is_not_given(tmp_path: Path) -> None:
    objects = Objects(tmp_path / "a" / "objects")
    [one] = kept(tmp_path, b"one")
    (objects.folder / one).write_bytes(b"two")
    with pytest.raises(Unusable, match="damaged"):
        objects.get(one)
    with pytest.raises(Unusable):
        objects.get("0" * 64)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    objects = Objects(tmp_path / "a" / "objects")
    [one] = kept(tmp_path, b"one")
    (objects.folder / one).rename(tmp_path / "elsewhere")
    (objects.folder / one).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unusable, match="link"):
        objects.get(one)


def test_only_what_is_old_and_not_needed_is_forgotten(tmp_path: Path) -> None:
    objects = Objects(tmp_path / "a" / "objects")
    one, two = kept(tmp_path, b"one", b"two")
    (objects.folder / "foreign").touch()
    now_s = (objects.folder / one).stat().st_mtime
    objects.forget({two}, now_s + GRACE_S - 1)
    assert objects.has(one)
    objects.forget({two}, now_s + GRACE_S + 1)
    assert (objects.has(one), objects.has(two), (objects.folder / "foreign").exists()) == (False, True, True)


def test_what_is_put_again_counts_from_then(tmp_path: Path) -> None:
    objects = Objects(tmp_path / "a" / "objects")
    [one] = kept(tmp_path, b"one")
    os.utime(objects.folder / one, (OLD_S, OLD_S))
    kept(tmp_path, b"one")
    objects.forget(set(), OLD_S + GRACE_S + 1)
    assert objects.has(one)
