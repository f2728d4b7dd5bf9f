"""Words that say nothing about what a text is about."""

import re

_WORD = re.compile(r"\w+")
STOP_WORDS = frozenset(
    _WORD.findall(
        """
        a about after again all also an and any are as at be because been before but by can could did do does for
        from get give had has have he her here him his how i if in into is it its just let like make me more most my
        need no not now of off on one only or other our out over own please put same she should so some such take
        tell than that the their them then there these they thing this those to too try up us use very want was we
        were what when where which while who why will with would yes you your
        """
    )
)


def words(folded: str) -> list[str]:
    """The words of a folded text, in order."""
    return _WORD.findall(folded)


def content_words(folded: str) -> set[str]:
    """Distinct words longer than two characters that are no stop words."""
    return {word for word in words(folded) if len(word) > 2 and word not in STOP_WORDS}
