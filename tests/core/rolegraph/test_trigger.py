import math

import pytest

from core.rolegraph import build_taxonomy
from core.rolegraph.trigger import TriggerIndex
from core.rolegraph.words import content_words

FILES = {
    "a.md": "trigger:: alpha beta gamma",
    "b.md": "trigger:: alpha\ntrigger:: delta",
    "c.md": "synonyms:: no trigger at all",
}


def index(files: dict[str, str]) -> TriggerIndex:
    return TriggerIndex(build_taxonomy(files.items()).concepts)


def test_the_cosine_is_the_formulas() -> None:
    # N = 2: alpha is in both, the others in one, epsilon in none.
    idf = {count: math.log(3 / (count + 1)) + 1 for count in (0, 1, 2)}
    query = math.sqrt(idf[2] ** 2 + idf[1] ** 2 + idf[0] ** 2)
    a = idf[2] ** 2 / (query * math.sqrt(idf[2] ** 2 + 2 * idf[1] ** 2))
    b = (idf[2] ** 2 + idf[1] ** 2) / (query * math.sqrt(idf[2] ** 2 + idf[1] ** 2))
    similar = dict(index(FILES).similar("Alpha, DELTA: epsilon! alpha?"))
    assert similar == {position: pytest.approx(value) for position, value in ((1, b), (0, a)) if value >= 0.3}
    assert 1 in similar


def test_the_most_alike_comes_first() -> None:
    assert [position for position, _ in index(FILES).similar("alpha beta")] == [0, 1]


def test_a_long_prompt_that_shares_a_word_is_not_alike() -> None:
    assert index(FILES).similar("alpha " + " ".join(f"word{number}" for number in range(15))) == []


def test_words_that_say_nothing_do_not_count() -> None:
    assert content_words("the model is at an io of ab planning 思考中") == {"model", "planning", "思考中"}
    assert index({"a.md": "trigger:: the and of"}).similar("the and of") == []
    assert index(FILES).similar("") == []


def test_no_triggers_no_answer() -> None:
    assert index({}).similar("alpha") == []
