"""What is put in a snapshot's place."""

from pathlib import Path

import pytest
from configs import write_config
from facts import ROOT, settings

from core.errors import ConfigError
from core.lab.candidate import Parts, Unfit, applied, built, named, read
from core.rolegraph import build_taxonomy

WAT = (ROOT / "plugins" / "wasm-demo.wat").read_text()
CONCEPT = "# Frugal\nroute:: deepseek, deepseek-chat\nsynonyms:: on the cheap\n"
TABLES = {"one": {"priority": 7, "mode": "shadow"}, "two": {"mode": "canary", "share": 5.0}}


@pytest.fixture
def parts() -> Parts:
    config = settings().model_copy(update={"rules": TABLES})
    return Parts(config, {"a/frugal.md": CONCEPT}, {"one.wat": WAT.encode(), "plugins.lock": b"not for candidates"})


def test_a_rule_is_added_or_takes_the_place_of_its_name_and_decides(tmp_path: Path, parts: Parts) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.wat").write_text(f";; another\n{WAT}")
    (tmp_path / "two.toml").write_text('[rule]\nname = "the second"\n')
    candidate = read([tmp_path / "one.wat", tmp_path / "two.wat"])
    found = built(applied(parts, candidate), tmp_path / "cache", must=candidate.rules)
    rules = [(rule.name, rule.settings.mode, rule.settings.priority, rule.settings.title) for rule in found.rules.rules]
    assert rules == [("one", "enforce", 7, ""), ("two", "enforce", 50, "the second")]
    assert found.rules.rules[0].sha256 != built(parts, tmp_path / "cache").rules.rules[0].sha256
    assert [concept.path for concept in found.taxonomy.concepts] == ["a/frugal.md"]


def test_tables_of_rules_are_laid_over_the_operators(tmp_path: Path, parts: Parts) -> None:
    (tmp_path / "grants.toml").write_text('[rules.one]\nmode = "enforce"\ngrant = ["request.last_user"]\n')
    found = built(applied(parts, read([tmp_path / "grants.toml"])), tmp_path / "cache")
    one = found.rules.rules[0].settings
    assert (one.mode, one.priority, one.grant) == ("enforce", 7, ("request.last_user",))


def test_a_rule_that_is_refused_is_said(tmp_path: Path, parts: Parts) -> None:
    (tmp_path / "bad.wat").write_text("(module")
    candidate = read([tmp_path / "bad.wat"])
    with pytest.raises(Unfit, match=r"^bad\.wat: "):
        built(applied(parts, candidate), tmp_path / "cache", must=candidate.rules)


def test_one_concept_takes_its_own_place(tmp_path: Path, parts: Parts) -> None:
    (tmp_path / "frugal.md").write_text(CONCEPT.replace("on the cheap", "for nothing"))
    (tmp_path / "new.md").write_text(CONCEPT)
    found = applied(parts, read([tmp_path / "frugal.md", tmp_path / "new.md"]))
    assert list(found.texts) == ["a/frugal.md", "new.md"]
    assert "for nothing" in found.texts["a/frugal.md"]


def test_a_folder_of_concepts_is_the_taxonomy(tmp_path: Path, parts: Parts) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "new.md").write_text(CONCEPT)
    found = applied(parts, read([tmp_path]))
    assert (list(found.texts), list(found.plugins)) == (["b/new.md"], ["one.wat", "plugins.lock"])
    assert build_taxonomy(list(found.texts.items())).problems == ()


def test_a_folder_of_rules_are_the_rules(tmp_path: Path, parts: Parts) -> None:
    (tmp_path / "three.wat").write_text(WAT)
    found = applied(parts, read([tmp_path]))
    assert (list(found.texts), list(found.plugins)) == (["a/frugal.md"], ["three.wat"])


def test_a_configuration_leaves_rules_and_taxonomy(tmp_path: Path, parts: Parts) -> None:
    found = applied(parts, read([write_config(tmp_path, "http://127.0.0.1:9")]))
    assert found.settings.routing.default == "one,main"
    assert (list(found.texts), list(found.plugins)) == (["a/frugal.md"], ["one.wat", "plugins.lock"])


def test_a_folder_with_a_configuration_is_all_of_it(tmp_path: Path, parts: Parts) -> None:
    write_config(tmp_path, "http://127.0.0.1:9")
    (tmp_path / "plugins" / "three.wat").write_text(WAT)
    (tmp_path / "taxonomy" / "new.md").write_text(CONCEPT)
    found = applied(parts, read([tmp_path]))
    assert (found.settings.routing.default, list(found.texts), list(found.plugins)) == (
        "one,main", ["new.md"], ["three.wat"],
    )  # fmt: skip


def test_a_later_one_goes_before_an_earlier(tmp_path: Path, parts: Parts) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one.wat").write_text(f";; {name}\n{WAT}")
    found = applied(parts, read([tmp_path / "x" / "one.wat", tmp_path / "y" / "one.wat"]))
    assert found.plugins["one.wat"].startswith(b";; y")


def test_equal_candidates_have_equal_bytes(tmp_path: Path) -> None:
    config = write_config(tmp_path, "http://127.0.0.1:9")
    assert named(read([config])) == named(read([config]))
    (tmp_path / "grants.toml").write_text("[rules.one]\npriority = 1\n")
    assert named(read([config])) != named(read([config, tmp_path / "grants.toml"]))


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("x.txt", b"", "is no candidate"),
        ("gone.wat", None, "No such file"),
        ("gone.exe", None, "No such file"),
        ("bad.toml", b"[", "not TOML"),
        ("endless.toml", b"a = " + b"1" * 5000, "not TOML"),
        ("deep.toml", b"a = " + b"[" * 5000, "not TOML"),
        ("bad.md", b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_what_is_no_candidate(tmp_path: Path, name: str, content: bytes | None, why: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(Unfit, match=why):
        read([tmp_path / name])


def test_an_empty_folder_and_a_wrong_configuration(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="holds no config"):
        read([tmp_path])
    (tmp_path / "wrong.toml").write_text('[routing]\ndefault = "nobody,x"\n')
    with pytest.raises(ConfigError):
        read([tmp_path / "wrong.toml"])
