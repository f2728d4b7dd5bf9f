import os
import stat
from pathlib import Path

import msgspec
import pytest

from core.calibration import factor_of
from core.messages import Usage
from core.state.token_ratios import MAX_BYTES, NAME, TokenRatios


def opened(folder: Path, said: list[str] | None = None) -> TokenRatios:
    return TokenRatios(folder, (said if said is not None else []).append)


def teach(ratios: TokenRatios, percent: int = 130) -> None:
    for _ in range(3):
        ratios.calibration.learn("m", 1000, Usage(input=percent * 10))


def test_what_was_learned_is_there_after_a_restart(tmp_path: Path) -> None:
    first = opened(tmp_path / "state")
    teach(first)
    first.close()
    again = opened(tmp_path / "state")
    assert factor_of(again.calibration.factors, "m") == 1.3
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_nothing_is_written_before_anything_is_learned(tmp_path: Path) -> None:
    ratios = opened(tmp_path / "state")
    ratios.close()
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b'{"m": ["x"]}', b"\xff", b'{"m": 1}', b"{}" + b" " * MAX_BYTES]
)
def test_a_broken_file_is_said_and_learned_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    said: list[str] = []
    ratios = opened(tmp_path, said)
    assert ratios.calibration.factors == {}
    assert len(said) == 1
    teach(ratios)
    ratios.close()
    assert msgspec.json.decode((tmp_path / NAME).read_bytes()) == {"m": [1300] * 3}


def test_one_owner_writes_and_the_next_takes_over(tmp_path: Path) -> None:
    owner, other = opened(tmp_path), opened(tmp_path)
    teach(owner, 120)
    owner.save()
    teach(other, 150)
    other.save()
    assert factor_of(opened(tmp_path).calibration.factors, "m") == 1.2
    owner.close()
    other.save()
    assert factor_of(opened(tmp_path).calibration.factors, "m") == 1.5
    other.close()


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said: list[str] = []
    ratios = opened(tmp_path / "file" / "state", said)
    teach(ratios)
    ratios.save()
    ratios.save()
    assert len([text for text in said if "cannot be kept" in text]) == 1


def test_what_is_no_file_is_neither_followed_nor_waited_for(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b'{"m": [1200, 1200, 1200]}')
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / NAME).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / NAME)
    for folder in ("link", "pipe"):
        said: list[str] = []
        assert opened(tmp_path / folder, said).calibration.factors == {}
        assert len(said) == 1
