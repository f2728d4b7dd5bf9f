import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wasm_modules import ROUTE, answering, load, patient

from wasm_host import files
from wasm_host.manifest import merge
from wasm_host.shadow import MARK, Unsafe, in_shadow, put, to_toml


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module with a manifest, beside an empty plugins folder."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "work").mkdir()
    module = tmp_path / "work" / "mine.wat"
    module.write_text(answering(ROUTE))
    module.with_suffix(".toml").write_text(
        'priority = 7\n[policy]\nmode = "enforce"\n[[test]]\nname = "x"\nexpect = { abstain = true }\n'
    )
    return module


def put_it(module: Path, **operator: Any) -> Path:
    return put(module, module.read_bytes(), module.parent.parent / "plugins", operator)


def test_what_is_put_there_never_decides(module: Path, tmp_path: Path) -> None:
    assert put_it(module) == tmp_path / "plugins" / "mine.wat"
    [rule] = load(tmp_path, {}).rules
    assert (rule.settings.mode, rule.settings.priority) == ("shadow", 7)
    assert sorted(path.name for path in (tmp_path / "plugins").iterdir()) == ["mine.toml", "mine.wat"]
    assert "test" not in tomllib.loads((tmp_path / "plugins" / "mine.toml").read_text())


@pytest.mark.parametrize(
    "manifest", [{}, {"mode": "enforce"}, {"rule": {"mode": "enforce"}}, {"policy": {"fail": "next"}}]
)
def test_no_place_for_the_mode_goes_before_the_shadow(module: Path, tmp_path: Path, manifest: dict[str, Any]) -> None:
    module.with_suffix(".toml").write_text(to_toml(manifest))
    put_it(module)
    [rule] = load(tmp_path, {}).rules
    assert rule.settings.mode == "shadow"


def test_a_module_without_a_manifest_gets_one(module: Path, tmp_path: Path) -> None:
    module.with_suffix(".toml").unlink()
    put_it(module)
    assert (tmp_path / "plugins" / "mine.toml").read_text() == MARK + '"policy" = {"mode" = "shadow"}\n'


def test_what_was_put_there_is_replaced_and_another_suffix_goes(module: Path, tmp_path: Path) -> None:
    put_it(module)
    put_it(module)
    (tmp_path / "work" / "mine.wasm").write_bytes(b"new")
    put_it(tmp_path / "work" / "mine.wasm")
    assert sorted(path.name for path in (tmp_path / "plugins").iterdir()) == ["mine.toml", "mine.wasm"]


@pytest.mark.parametrize("name", ["mine.wat", "mine.wasm", "mine.toml"])
def test_a_rule_that_somebody_installed_stays(module: Path, tmp_path: Path, name: str) -> None:
    installed = tmp_path / "plugins" / name
    installed.write_text("installed")
    with pytest.raises(Unsafe, match=rf"{name}: rule mine is installed already; rename yours, or name another folder"):
        put_it(module)
    assert installed.read_text() == "installed"
    assert [path.name for path in installed.parent.iterdir()] == [name]


def test_a_link_in_the_place_of_our_manifest_is_not_ours(module: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(MARK)
    (tmp_path / "plugins" / "mine.toml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unsafe, match="installed already"):
        put_it(module)


def test_an_operators_mode_that_would_win_is_refused(module: Path, tmp_path: Path) -> None:
    with pytest.raises(
        Unsafe, match=r"\[rules\.mine\] in the configuration says mode = 'enforce', which wins; remove it"
    ):
        put_it(module, mode="enforce")
    assert list((tmp_path / "plugins").iterdir()) == []
    put_it(module, mode="shadow")


def test_a_module_in_the_plugins_folder_itself_is_refused(module: Path) -> None:
    with pytest.raises(Unsafe, match="lies in the plugins folder itself, where it decides; work on a copy elsewhere"):
        put(module, b"", module.parent, {})


def test_a_missing_folder_is_said(module: Path, tmp_path: Path) -> None:
    with pytest.raises(Unsafe, match="no: there is no such folder; make it, or name another one with --plugins"):
        put(module, b"", tmp_path / "no", {})


def test_a_locked_folder_takes_no_rule_under_work(module: Path, tmp_path: Path) -> None:
    (tmp_path / "plugins" / "plugins.lock").touch()
    with pytest.raises(Unsafe, match=r"plugins\.lock: only what was reviewed runs there; name another folder"):
        put_it(module)
    assert [path.name for path in (tmp_path / "plugins").iterdir()] == ["plugins.lock"]


def test_the_manifest_is_there_before_the_module(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    write = files.write

    def noting(path: Path, data: bytes) -> None:
        written.append(path.name)
        write(path, data)

    monkeypatch.setattr(files, "write", noting)
    put_it(module)
    assert written == ["mine.toml", "mine.wat"]


def test_a_write_that_fails_leaves_nothing(module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        put_it(module)
    assert list((tmp_path / "plugins").iterdir()) == []


scalars = st.one_of(
    st.text(st.characters(codec="utf-8")), st.integers(-(2**63), 2**63 - 1), st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False), st.dates(), st.datetimes(),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
)


@settings(patient, max_examples=50)
@given(st.dictionaries(st.text(st.characters(codec="utf-8")), values, max_size=4))
def test_any_manifest_reads_back_as_it_was_written(data: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(data)) == data


def test_what_is_not_finite_reads_back_too() -> None:
    assert tomllib.loads(to_toml({"a": float("inf"), "b": float("-inf")})) == {"a": float("inf"), "b": float("-inf")}


def test_a_canary_that_is_worked_on_is_a_shadow(module: Path, tmp_path: Path) -> None:
    for manifest in (
        {"mode": "canary", "share": 5},
        {"rule": {"mode": "canary", "share": 5}},
        {"policy": {"mode": "canary", "share": 5}},
    ):
        settings, notes = merge({}, [("rule.toml", in_shadow(manifest))])
        assert (settings.mode, settings.share, notes) == ("shadow", None, ())


def test_in_shadow_changes_nothing_of_the_authors_manifest() -> None:
    manifest = {"policy": {"mode": "enforce", "priority": 3}, "test": []}
    assert in_shadow(manifest) == {"policy": {"mode": "shadow", "priority": 3}}
    assert manifest == {"policy": {"mode": "enforce", "priority": 3}, "test": []}
    assert in_shadow({"policy": 7}) == {"policy": {"mode": "shadow"}}
