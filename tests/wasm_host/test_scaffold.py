import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from wasm_host import abi, manifest, scaffold
from wasm_host.preflight import Refusal
from wasm_host.testing import inspect

LANGUAGES = list(scaffold.LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_folder_is_whole(language: str) -> None:
    files = scaffold.files(language, "my-rule")
    chosen = scaffold.LANGUAGES[language]
    assert {chosen.source, "build.sh", "tools.sh", "my-rule.toml", "README.md", ".gitignore"} <= set(files)
    assert {"fixtures/long.json", "fixtures/short.json", "fixtures/word.json"} <= set(files)
    assert all(text for text in files.values())
    assert [path for path, text in files.items() if re.search(r"@[A-Z]+@", text)] == []
    assert f"my-rule{chosen.suffix}" in files["build.sh"]
    assert f"my-rule{chosen.suffix}" in files[".gitignore"]
    mentioned = re.findall(r"`([\w.]+\.[\w.]+)`", files["README.md"])
    assert set(mentioned) - {f"my-rule{chosen.suffix}"} <= {Path(path).name for path in files}


@pytest.mark.parametrize("language", LANGUAGES)
def test_its_manifest_and_requests_are_of_the_contract(language: str) -> None:
    files = scaffold.files(language, "my-rule")
    settings, notes = manifest.merge({}, [("my-rule.toml", tomllib.loads(files["my-rule.toml"]))])
    assert notes == ()
    assert settings.title == "my-rule"
    assert settings.input == ("request.token_count", "request.last_user[:2000]")
    for path, text in files.items():
        if path.startswith("fixtures/"):
            view = msgspec.json.decode(text)
            assert set(view) <= set(abi.REQUEST_KEYS)
            assert set(view["request"]) <= {*abi.REQUEST_FIELDS, *abi.TEXT_KEYS}


def test_all_templates_belong_to_something() -> None:
    used = {*scaffold.COMMON}
    for name, language in scaffold.LANGUAGES.items():
        used |= {*language.files, f"{name}/{language.source}", f"{name}/build.sh"}
    there = {
        path.relative_to(scaffold.TEMPLATES).as_posix() for path in scaffold.TEMPLATES.rglob("*") if path.is_file()
    }
    assert there == used


@pytest.mark.parametrize(
    ("language", "name", "said"),
    [
        ("cobol", "x", "no template for 'cobol': choose one of wat, c,"),
        ("c", "My rule", "'My rule' is no name for a rule"),
        ("c", "", "is no name"),
        ("c", "../x", "is no name"),
        ("c", "rule", "'rule' is the name of a file of the template"),
    ],
)
def test_what_cannot_be_used_is_said(language: str, name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(scaffold.Unusable, match=re.escape(said)):
        scaffold.write(tmp_path, language, name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(scaffold.Unusable, match="is there already"):
        scaffold.write(tmp_path, "c", "mine")
    assert list((tmp_path / "mine").iterdir()) == []


def test_scripts_may_be_run_and_nothing_else(tmp_path: Path) -> None:
    written = scaffold.write(tmp_path, "rust", "mine")
    assert sorted(path for path in (tmp_path / "mine").rglob("*") if path.is_file()) == sorted(written)
    runnable = {path.name for path in written if path.stat().st_mode & 0o111}
    assert runnable == {"build.sh", "tools.sh"}


def test_the_text_needs_no_toolchain_to_be_a_rule(tmp_path: Path) -> None:
    files = scaffold.files("wat", "mine")
    module = tmp_path / "mine.wat"
    module.write_text("".join(files[path] for path in ("rule.wat", "terraphim.wat", "json.wat")), "utf-8")
    rule = inspect(module, cache=tmp_path / "cache")
    assert not isinstance(rule, Refusal)
    assert rule.compiled.facts.pure
    assert rule.compiled.facts.smoke.code == "abstain"
