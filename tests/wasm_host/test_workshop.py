import os
import time
from pathlib import Path

import pytest

from wasm_host import workshop
from wasm_host.workshop import NoModule, Watch, Workshop, build, open_workshop


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_a_folder_is_built_by_its_script_then_by_its_makefile(tmp_path: Path) -> None:
    assert open_workshop(tmp_path) == Workshop(tmp_path)
    write(tmp_path, "Makefile")
    assert open_workshop(tmp_path).command == ("make",)
    write(tmp_path, "build.sh", "mine.wasm")
    assert open_workshop(tmp_path).command == ("sh", "build.sh")
    assert open_workshop(tmp_path / "mine.wasm") == Workshop(tmp_path, ("sh", "build.sh"), tmp_path / "mine.wasm")
    with pytest.raises(NoModule, match=r"nothing: there is no such file or folder; make one with: .* rules new"):
        open_workshop(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("names", "module"),
    [
        (["mine.wat"], "mine.wat"),
        (["mine.wasm", "text.wat"], "mine.wasm"),
        (["mine.wat", "mine.toml", "rule.wat", "json.wat"], "mine.wat"),
        (["mine.wasm", "mine.toml", "other.wasm", "Cargo.toml", ".module.wasm"], "mine.wasm"),
    ],
)
def test_the_module_is_the_one_with_a_manifest_or_the_only_one(tmp_path: Path, names: list[str], module: str) -> None:
    write(tmp_path, *names)
    assert Workshop(tmp_path).module() == tmp_path / module


def test_no_module_or_too_many_are_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoModule, match=r"there is no module in it; name the file, or let one manifest"):
        Workshop(tmp_path).module()
    write(tmp_path, "a.wasm", "b.wasm")
    with pytest.raises(NoModule, match=r"a\.wasm, b\.wasm could each be it; name the file"):
        Workshop(tmp_path).module()
    with pytest.raises(NoModule, match=r"c\.wasm: there is no such file; name a \.wasm, a \.wat or a folder"):
        Workshop(tmp_path, file=tmp_path / "c.wasm").module()


def test_sources_are_what_a_person_edits(tmp_path: Path) -> None:
    write(tmp_path, "rule.c", "sub/part.c", "mine.toml", "build.sh", ".hidden", ".tools/x.c", "target/x.rs", "x.o")
    write(tmp_path, "mine.wat", "other.wasm")
    found = {path.relative_to(tmp_path).as_posix() for path in open_workshop(tmp_path).sources()}
    assert found == {"rule.c", "sub/part.c", "mine.toml", "build.sh"}
    (tmp_path / "build.sh").unlink()
    found = {path.relative_to(tmp_path).as_posix() for path in open_workshop(tmp_path).sources()}
    assert "mine.wat" in found  # there is no build: the text is the source
    assert list(Workshop(tmp_path, file=tmp_path / "mine.wat").sources()) == [
        tmp_path / "mine.wat", tmp_path / "mine.toml",
    ]  # fmt: skip


def test_a_huge_folder_is_watched_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "_FILES_MAX", 3)
    write(tmp_path, *(f"{number}.c" for number in range(9)))
    assert len(list(Workshop(tmp_path).sources())) == 3


def test_a_build_says_how_it_ended(tmp_path: Path) -> None:
    write(tmp_path, "build.sh")
    shop = open_workshop(tmp_path)
    (tmp_path / "build.sh").write_text("pwd; echo to stderr >&2; cat\n")
    assert build(shop) == (True, f"{tmp_path}\nto stderr")
    (tmp_path / "build.sh").write_text("echo bad; exit 3\n")
    assert build(shop) == (False, "bad\nexit code 3")
    assert build(Workshop(tmp_path, ("no-such-compiler",))) == (
        False, "no-such-compiler cannot be started: No such file or directory; install it",
    )  # fmt: skip


def test_only_the_end_of_a_builds_output_is_kept(tmp_path: Path) -> None:
    (tmp_path / "build.sh").write_text("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done\n")
    ok, output = build(open_workshop(tmp_path))
    assert ok
    assert output.endswith("line 1999")
    assert len(output) <= workshop.OUTPUT


def test_a_build_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    (tmp_path / "build.sh").write_text("sleep 60 & echo $! > child; wait\n")
    ok, output = build(open_workshop(tmp_path), timeout_s=0.5)
    assert (ok, output.splitlines()[0]) == (False, "took longer than 0.5 s and was ended")
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    """Whether the process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_watch_sees_content_and_not_dates(tmp_path: Path) -> None:
    write(tmp_path, "rule.c", "gone.c")
    watch = Watch(Workshop(tmp_path))
    first = watch.look()
    assert set(first) == {tmp_path / "rule.c", tmp_path / "gone.c"}
    os.utime(tmp_path / "rule.c", (1, 1))
    assert watch.look() == first
    (tmp_path / "gone.c").unlink()
    assert set(watch.look()) == {tmp_path / "rule.c"}
    (tmp_path / "rule.c").write_text("another")
    assert watch.look()[tmp_path / "rule.c"] != first[tmp_path / "rule.c"]


def test_large_files_count_by_their_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "_HASHED_MAX", 3)
    write(tmp_path, "large.bin")
    watch = Watch(Workshop(tmp_path))
    first = watch.look()
    os.utime(tmp_path / "large.bin", (1, 1))
    assert watch.look() != first
