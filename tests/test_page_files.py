"""The page's files: what others wrote is what was checked, and ours keep the rules that make markup of nothing."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from facts import ROOT

UI = ROOT / "core" / "ui"
VENDOR = UI / "vendor"
OURS = [path for path in sorted(UI.rglob("*")) if path.is_file() and VENDOR not in path.parents]
SCRIPTS = [path for path in OURS if path.suffix == ".js"]
#: Ways to make markup, code or a style attribute of text; nothing here needs one.
UNSAFE = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc|setHTML"
    r"|\beval\(|new Function|javascript:|setAttribute\(.style|style=\"|\bsetTimeout\(\s*[\"'`]|\bon[a-z]+=\""
)
VENDORED = json.loads((VENDOR / "vendor.json").read_text())


def name(path: Path) -> str:
    return path.relative_to(UI).as_posix()


def test_vendored_files_are_those_that_were_checked() -> None:
    listed = {file: facts["vendored"] for package in VENDORED.values() for file, facts in package["files"].items()}
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir()}
    there.pop("vendor.json")
    assert there == listed


def test_each_package_keeps_its_licence_and_is_named() -> None:
    third_party = (ROOT / "THIRD-PARTY.md").read_text()
    for package, facts in VENDORED.items():
        [licence] = [file for file in facts["files"] if file.endswith(".LICENSE.txt")]
        assert f"| `{package}` | [{facts['licence']}](core/ui/vendor/{licence}) |" in third_party


@pytest.mark.parametrize("path", OURS, ids=name)
def test_no_file_makes_markup_of_text(path: Path) -> None:
    if path.suffix == ".svg":
        return
    found = [line for line in path.read_text("utf-8").splitlines() if UNSAFE.search(line)]
    assert found == []


def test_the_document_has_no_script_and_style_of_its_own() -> None:
    document = (UI / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=\"/ui/)[^>]*>|<style|style=|\bon\w+=", document) == []
    for source in re.findall(r'(?:src|href)="/ui/([^"]+)"', document):
        assert (UI / source).is_file(), source


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_imports_are_files_by_relative_path(path: Path) -> None:
    for wanted in re.findall(r'\bfrom\s*"([^"]+)"|\bimport\s*\(?\s*"([^"]+)"', path.read_text("utf-8")):
        target = "".join(wanted)
        assert target.startswith("."), f"{name(path)}: {target}"
        assert (path.parent / target).is_file(), f"{name(path)}: {target}"


@pytest.mark.parametrize("path", OURS, ids=name)
def test_files_are_small_and_speak_to_nobody_else(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    assert set(re.findall(r"\bhttps?://[^\s\"'`)]+", text)) <= {"http://www.w3.org/2000/svg"}
