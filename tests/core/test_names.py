import pytest

from core.names import LONGEST, cut, is_name, mark


@pytest.mark.parametrize("text", ["", "gpt-5.1", "one,deepseek/deepseek-r1:free", "mcp__files__read", "a" * LONGEST])
def test_names(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize("text", ["plum cake", "a\tb", "a\nb", "größe", "a\u00a0b", "a\x00", "a" * (LONGEST + 1)])
def test_what_is_no_name_has_a_mark(text: str) -> None:
    assert not is_name(text)
    assert is_name(mark(text))
    assert mark(text) == mark(text) != mark(text + "x")
    assert len(mark(text)) == 17


@pytest.mark.parametrize(("text", "shown"), [
    ("", ""), ("a" * LONGEST, "a" * LONGEST), ("a" * LONGEST + "bc", "a" * LONGEST + "…[+2 characters]"),
])  # fmt: skip
def test_of_what_is_too_long_for_a_name_as_much_is_shown(text: str, shown: str) -> None:
    assert cut(text) == shown
