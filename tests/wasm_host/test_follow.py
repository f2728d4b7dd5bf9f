import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from wasm_modules import answering

from wasm_host import examination, follow, shadow
from wasm_host.follow import Place, Step, work
from wasm_host.workshop import Workshop, build, open_workshop

ABSTAIN = '{"abstain":true}'


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "work").mkdir()
    return Place(tmp_path / "plugins", {}, None, tmp_path.parent / "artifacts")


def shop(place: Place, text: str = answering(ABSTAIN), script: str = "cp rule.txt mine.wat\n") -> Workshop:
    """A folder whose build copies the rule's text to where the module belongs."""
    folder = place.plugins.parent / "work"
    (folder / "rule.txt").write_text(text)
    (folder / "build.sh").write_text(script)
    return open_workshop(folder)


def names(steps: list[Step]) -> list[str]:
    return [step.name for step in steps]


def test_a_round_builds_checks_tests_and_swaps(place: Place) -> None:
    steps = list(work(shop(place), place))
    assert [(step.name, step.ok) for step in steps] == [(name, True) for name in ("build", "check", "test", "swap")]
    assert "mine.wat: 0 errors, 0 warnings" in str(steps[1])
    assert "the manifest of rule mine has no cases" in str(steps[2])  # said, and no failure
    assert f"{place.plugins}/mine.wat in shadow mode, sha256" in str(steps[3])
    assert (place.plugins / "mine.wat").read_text() == answering(ABSTAIN)


def test_bytes_that_were_promoted_are_not_swapped_in(place: Place) -> None:
    asked = []

    def promoted(name: str, sha256: str) -> bool:
        asked.append((name, sha256))
        return True

    steps = list(work(shop(place), msgspec.structs.replace(place, promoted=promoted)))
    assert (names(steps)[-1], steps[-1].ok) == ("swap", False)
    assert "rules rollback mine" in str(steps[-1])
    assert asked == [("mine", hashlib.sha256(answering(ABSTAIN).encode()).hexdigest())]
    assert not (place.plugins / "mine.wat").exists()


@pytest.mark.parametrize(
    ("text", "script", "last", "said"),
    [
        (answering(ABSTAIN), "echo oops; exit 1\n", "build", "oops\nexit code 1"),
        (answering(ABSTAIN), "true\n", "build", "there is no module in it; name the file"),
        ("(module)", "cp rule.txt mine.wat\n", "check", "rule mine: does not export the function rule_v1_alloc"),
        (
            answering(ABSTAIN),
            "cp rule.txt mine.wat; printf '[[test]]\nname = \"x\"\nexpect = { deny = true }\n' > mine.toml\n",
            "test",
            "case x: ",
        ),
    ],
)  # fmt: skip
def test_the_first_step_that_fails_is_the_last_and_the_old_version_stays(
    place: Place, text: str, script: str, last: str, said: str
) -> None:
    list(work(shop(place), place))
    for path in (place.plugins.parent / "work").glob("mine.*"):
        path.unlink()
    steps = list(work(shop(place, text, script), place))
    assert (steps[-1].name, steps[-1].ok) == (last, False)
    assert all(step.ok for step in steps[:-1])
    assert said in str(steps[-1])
    assert (place.plugins / "mine.wat").read_text() == answering(ABSTAIN)


def test_what_cannot_be_swapped_in_is_said(place: Place) -> None:
    (place.plugins / "mine.wasm").write_bytes(b"installed")
    last = list(work(shop(place), place))[-1]
    assert (last.name, last.ok) == ("swap", False)
    assert "rule mine is installed already" in last.text
    (place.plugins / "mine.wasm").unlink()
    place.plugins.rmdir()
    assert "there is no such folder; make it" in list(work(shop(place), place))[-1].text


def test_a_failing_write_is_a_failed_step(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "plugins")

    monkeypatch.setattr(shadow, "put", refuse)
    last = list(work(shop(place), place))[-1]
    assert (last.name, last.text) == ("swap", "plugins: Permission denied; the folder must be yours to write")


def test_a_module_that_changes_while_it_is_tested_is_not_swapped_in(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop = shop(place)
    examine = examination.examine

    def edit(path: Path, *, cache: Path) -> object:
        path.write_text(answering('{"abstain":true,"reason":"edited"}'))
        return examine(path, cache=cache)

    monkeypatch.setattr(examination, "examine", edit)
    last = list(work(workshop, place))[-1]
    assert (last.name, last.ok) == ("swap", False)
    assert "changed while it was tested; the next round takes it up" in last.text
    assert list(place.plugins.iterdir()) == []


@pytest.fixture
def only_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds that only build: what a round does is shown above."""

    def work(workshop: Workshop, _place: Place) -> Iterator[Step]:
        if workshop.command:
            yield Step("build", ok=build(workshop)[0])
        yield Step("round")

    monkeypatch.setattr(follow, "work", work)


def rounds(workshop: Workshop, place: Place, *edits: Callable[[], object]) -> list[Step]:
    """The steps of following while one edit after the other is made, each followed by two looks; then it ends."""
    remaining = [lambda: None, lambda: None, *(act for edit in edits for act in (edit, lambda: None, lambda: None))]

    def sleep(seconds: float) -> None:
        assert seconds == follow.LOOK_S
        if not remaining:
            raise KeyboardInterrupt
        remaining.pop(0)()

    return until_interrupted(follow.follow(workshop, place, sleep=sleep))


def until_interrupted(steps: Iterator[Step]) -> list[Step]:
    taken: list[Step] = []
    with suppress(KeyboardInterrupt):
        taken.extend(steps)
    return taken


@pytest.mark.usefixtures("only_builds")
def test_every_change_begins_a_round_and_a_failing_build_ends_nothing(place: Place) -> None:
    workshop = shop(place)
    script, source = workshop.folder / "build.sh", workshop.folder / "rule.txt"
    steps = rounds(
        workshop,
        place,
        lambda: script.write_text("exit 1\n"),
        lambda: script.write_text("cp rule.txt mine.wat # again\n"),
        lambda: source.write_text("new"),
    )
    assert names(steps) == ["build", "round", "watch"] * 4
    assert [step.ok for step in steps if step.name == "build"] == [True, False, True, True]
    assert steps[-1].text == f"2 files in {workshop.folder}; Ctrl-C ends"  # what the build makes is no source


@pytest.mark.usefixtures("only_builds")
def test_a_build_that_writes_the_same_again_begins_no_further_round(place: Place) -> None:
    workshop = shop(place, script="cp rule.txt mine.wat; echo same > generated.h\n")
    steps = rounds(workshop, place, *[lambda: None] * 3)
    assert names(steps).count("round") == 2  # the second one is for the header that the first one made


@pytest.mark.usefixtures("only_builds")
def test_a_file_that_is_still_being_written_is_waited_for(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "work" / "mine.wat"
    file.write_text(answering(ABSTAIN))
    looks = 0

    def sleep(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks < 5:
            file.write_text(answering(ABSTAIN) + "\n" * looks)
        if looks > 8:
            raise KeyboardInterrupt

    steps = until_interrupted(follow.follow(Workshop(tmp_path / "work", file=file), place, sleep=sleep))
    assert names(steps) == ["round", "watch"]


def test_a_step_reads_as_a_line_with_its_details_below() -> None:
    assert str(Step("build", "sh build.sh\noops", ok=False)) == "build  FAILED  sh build.sh\noops"
    assert str(Step("swap", "there")) == "swap   ok      there"
    assert str(Step("swap")) == "swap   ok"
