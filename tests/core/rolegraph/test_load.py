import gc
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from core.rolegraph import build_taxonomy, load_taxonomy

FILES = {"b/two.md": "synonyms:: zwei, deux\nroute:: a, b", "a/one.md": "# One", "c.md": "priority:: 400"}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def test_a_folder_at_any_depth_without_readme_and_hidden_files(tmp_path: Path) -> None:
    write(
        tmp_path,
        {**FILES, "README.md": "synonyms:: no", "b/README.md": "", ".git/x.md": "", "b/.y.md": "", "z.txt": ""},
    )
    taxonomy = load_taxonomy(tmp_path)
    assert [concept.path for concept in taxonomy.concepts] == ["c.md", "a/one.md", "b/two.md"]
    assert [(problem.path, problem.line) for problem in taxonomy.problems] == [("c.md", 1)]


def test_a_folder_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    taxonomy = load_taxonomy(tmp_path / "none")
    assert taxonomy.concepts == ()
    assert "no such folder" in taxonomy.problems[0].message


def test_what_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    (tmp_path / "latin.md").write_bytes(b"synonyms:: caf\xe9")
    (tmp_path / "huge.md").write_bytes(b"x" * (1 << 20) + b"x")
    (tmp_path / "dangling.md").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.md").mkdir()
    os.mkfifo(tmp_path / "pipe.md")
    taxonomy = load_taxonomy(tmp_path)
    assert len(taxonomy.concepts) == len(FILES)
    named = {problem.path for problem in taxonomy.problems if "cannot be read" in problem.message}
    assert named == {"latin.md", "huge.md", "dangling.md", "folder.md", "pipe.md"}


def test_a_file_name_that_is_no_utf8(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md")).write_text("synonyms:: tea")
    taxonomy = load_taxonomy(tmp_path)
    assert taxonomy.concepts[0].name == "caf?"
    assert msgspec.json.encode(taxonomy.identity())


@settings(deadline=None, derandomize=True, database=None)
@given(st.permutations(list(FILES.items())))
def test_the_order_of_files_changes_nothing(files: list[tuple[str, str]]) -> None:
    taxonomy = build_taxonomy(files)
    assert taxonomy == build_taxonomy(FILES.items())
    assert msgspec.json.encode(taxonomy.identity()) == msgspec.json.encode(build_taxonomy(FILES.items()).identity())


def test_identity_knows_what_decides_and_ignores_what_does_not() -> None:
    def identity(text: str) -> bytes:
        return msgspec.json.encode(build_taxonomy([("x.md", text)]).identity())

    base = identity("# T\nsynonyms:: one, two\nroute:: a, b\n")
    assert identity("# T\n\nProse.\nsynonyms:: two, one\nroute:: a, b\nexample:: one") == base
    for changed in ("synonyms:: one\nroute:: a, b", "synonyms:: one, two\nroute:: a, c", "priority:: 51"):
        assert identity("# T\n" + changed) != base
    assert identity("# T\nsynonyms:: one, two\nroute:: a, b\nis_free:: yes") != base


def test_the_cyclic_collector_stands_still_while_files_are_read() -> None:
    on = []

    def files() -> Iterator[tuple[str, str]]:
        for file in FILES.items():
            on.append(gc.isenabled())
            yield file

    build_taxonomy(files())
    assert [*on, gc.isenabled()] == [False, False, False, True]
