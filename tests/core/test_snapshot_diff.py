from pathlib import Path

from facts import settings, snapshot

from core.routing.snapshot import Snapshot
from core.schema import ServerSettings
from core.snapshot_diff import difference, lines
from prove.guests import always
from wasm_host.registry import load_rules

A = {"a.md": "# Alpha\nroute:: openai, gpt-5\nsynonyms:: one, two\n"}


def ruled(folder: Path, rules: dict[str, str], **operator: dict[str, object]) -> Snapshot:
    (folder / "plugins").mkdir(exist_ok=True)
    for path in (folder / "plugins").iterdir():
        path.unlink()
    for name, answer in rules.items():
        (folder / "plugins" / f"{name}.wat").write_text(always(answer))
    return snapshot(rules=load_rules(folder / "plugins", operator, cache=folder / "cache"))


def test_nothing_differs_from_itself() -> None:
    found = difference(snapshot(concepts=A), snapshot(concepts=A))
    assert found.empty
    assert lines(found) == [f"{snapshot(concepts=A).id}: nothing differs"]


def test_settings_are_compared_key_by_key() -> None:
    old = settings(default="openai,gpt-5", fallback=["openai,gpt-5"])
    new = settings(default="openai,gpt-5-mini", fallback=[])
    new = new.model_copy(update={"server": ServerSettings(port=1, max_headers=17)})
    found = difference(snapshot(old), snapshot(new))
    assert [(each.key, each.old, each.new, each.restart) for each in found.settings] == [
        ("routing.default", "openai,gpt-5", "openai,gpt-5-mini", False),
        ("routing.fallback", ["openai,gpt-5"], [], False),
        ("server.max_headers", 128, 17, False),
        ("server.port", 3456, 1, True),
    ]
    assert found.parts == ["settings"]
    assert "  server.port: 3456 -> 1   (from the next start)" in lines(found)
    assert "  routing.fallback: openai,gpt-5 -> (none)" in lines(found)


def test_what_decides_nothing_is_shown_too() -> None:
    other = settings().model_copy(update={"server": ServerSettings(max_headers=17)})
    found = difference(snapshot(), snapshot(other))
    assert (found.parts, found.empty, found.old) == ([], False, found.new)


def test_concepts_come_go_and_change() -> None:
    changed = {"a.md": "# Alpha\nroute:: openai, gpt-5-mini\npriority:: 70\nsynonyms:: two, three\n"}
    found = difference(snapshot(concepts=A), snapshot(concepts=changed | {"b.md": "# Beta\nsynonyms:: four\n"}))
    assert [(part.name, part.change) for part in found.taxonomy] == [("a", "changed"), ("b", "added")]
    assert found.taxonomy[0].facts["priority"] == (50, 70)
    told = lines(found)
    assert "    - one" in told
    assert "    + three" in told
    assert "    routes: openai,gpt-5 -> openai,gpt-5-mini" in told
    back = difference(snapshot(concepts={"b.md": "# Beta\nsynonyms:: four\n"}), snapshot())
    assert [(part.name, part.change) for part in back.taxonomy] == [("b", "removed")]


def test_rules_come_go_and_change(tmp_path: Path) -> None:
    old = ruled(tmp_path, {"one": '{"abstain":true}', "two": '{"abstain":true}'})
    new = ruled(
        tmp_path, {"one": '{"abstain":true,"reason":"x"}', "three": "null"}, one={"priority": 3, "mode": "shadow"}
    )
    found = difference(old, new)
    assert [(part.name, part.change) for part in found.rules] == [
        ("one", "changed"),
        ("three", "added"),
        ("two", "removed"),
    ]
    facts = found.rules[0].facts
    assert (facts["priority"], facts["mode"]) == ((50, 3), ("enforce", "shadow"))
    assert facts["sha256"] == (old.rules.rules[0].sha256[:12], new.rules.rules[0].sha256[:12])
    assert any(line.startswith("    sha256 ") for line in lines(found))
    assert found.parts == ["rules"]
