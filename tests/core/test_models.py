from typing import Any

import anthropic.types
import openai.types
import pytest
from facts import snapshot

from core.errors import BadRequest
from core.models import entry, listing

SHOT = snapshot()
ALL = ["auto", *sorted(SHOT.target_names)]


def page(**query: str) -> tuple[list[str], bool]:
    found = listing(SHOT, query, anthropic=True)
    ids = [model["id"] for model in found["data"]]
    assert (found["first_id"], found["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))
    return ids, found["has_more"]


def test_without_a_limit_all_are_listed() -> None:
    assert page() == page(limit="1000") == (ALL, False)
    assert [model["id"] for model in listing(SHOT, {"limit": "1"}, anthropic=False)["data"]] == ALL


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_pages_forth_and_back_give_each_model_once(limit: int) -> None:
    forth: list[str] = []
    query: dict[str, str] = {}
    more = True
    while more:
        ids, more = page(limit=str(limit), **query)
        forth += ids
        query = {"after_id": ids[-1]}
    back: list[str] = []
    query, more = {"before_id": ALL[-1]}, True
    while more:
        ids, more = page(limit=str(limit), **query)
        back = ids + back
        query = {"before_id": ids[0]}
    assert (forth, back) == (ALL, ALL[:-1])


def test_beyond_the_ends_is_nothing() -> None:
    assert page(after_id=ALL[-1]) == page(before_id=ALL[0]) == ([], False)


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "x"},
        {"limit": "9" * 5000},
        {"limit": "²"},
        {"after_id": "nobody,x"},
    ],
)
def test_what_cannot_be_is_refused_by_name(query: dict[str, str]) -> None:
    with pytest.raises(BadRequest) as refused:
        page(**query)
    assert refused.value.message.startswith(next(iter(query)))


@pytest.mark.parametrize("name", [*ALL, "claude-sonnet-4-6"])
def test_every_entry_is_what_the_sdks_read(name: str) -> None:
    claude: dict[str, Any] = entry(SHOT, name, anthropic=True)
    gpt: dict[str, Any] = entry(SHOT, name, anthropic=False)
    assert anthropic.types.ModelInfo.model_validate(claude).id == name
    assert openai.types.Model.model_validate(gpt).id == name


def test_sizes_are_told_where_they_are_known() -> None:
    claude = entry(SHOT, "openai,gpt-5", anthropic=True)
    assert (claude["max_input_tokens"], claude["max_tokens"]) == (272_000, 128_000)
    gpt = entry(SHOT, "openai,gpt-5", anthropic=False)
    assert (gpt["context_window"], gpt["max_completion_tokens"]) == (400_000, 128_000)
    assert "context_window" not in entry(SHOT, "auto", anthropic=False)


def test_a_key_is_shown_what_it_may_ask() -> None:
    allowed = ("anthropic,*", "*,gpt-5")
    ids = [model["id"] for model in listing(SHOT, {}, anthropic=False, allowed=allowed)["data"]]
    assert ids == ["auto", *(name for name in ALL if name.startswith("anthropic,") or name == "openai,gpt-5")]
    assert len(ids) > 2
    with pytest.raises(BadRequest):
        listing(SHOT, {"after_id": "openai,gpt-5-mini"}, anthropic=True, allowed=allowed)
