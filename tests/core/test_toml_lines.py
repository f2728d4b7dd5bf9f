from core.toml_lines import key_lines, line_of

TEXT = """\
# comment
title = 1
[server]
host = "x"  # [not.a.table]
[[server.keys]]
name = "a"
[[server.keys]]
name = "b"
[providers.openrouter.models."deepseek/deepseek-r1"]
context_window = 1
a.b = 2
"""


def test_lines_of_keys_tables_and_arrays() -> None:
    lines = key_lines(TEXT)
    assert line_of(lines, ("title",)) == 2
    assert line_of(lines, ("server", "host")) == 4
    assert line_of(lines, ("server", "keys", 1, "name")) == 8
    model = ("providers", "openrouter", "models", "deepseek/deepseek-r1")
    assert line_of(lines, (*model, "context_window")) == 10
    assert line_of(lines, (*model, "a", "b")) == 11


def test_an_unknown_path_is_at_its_parent_or_nowhere() -> None:
    lines = key_lines(TEXT)
    assert line_of(lines, ("server", "host", "deep", "er")) == 4
    assert line_of(lines, ("nothing",)) == 0
