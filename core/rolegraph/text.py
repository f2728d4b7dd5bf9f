"""How text is folded before it is matched, and how an offset in the folded text leads back to the original.

Two steps, so that a phrase is found whatever its case and wherever its line is broken:
1. `lower`, one character for one: lower case, white space (but for line ends) a space, typographic apostrophes plain;
2. `fold`: runs of white space become one space, and one space stands before the text. Only here do offsets move, and
   only a caller that asks for spans pays for finding out.
"""

import re
import unicodedata
from bisect import bisect_right

#: What `str.isspace` accepts, except the space and the line feed.
_WHITE_SPACE = (
    "\t\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_SPACES = re.compile("  +")
#: Han, kana, bopomofo and hangul: written without spaces, or with particles glued to a word.
_CJK = (
    (0x1100, 0x11FF),
    (0x2E80, 0x9FFF),
    (0xA960, 0xA97F),
    (0xAC00, 0xD7FF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFFDC),
    (0x1AFF0, 0x1B16F),
    (0x20000, 0x3FFFF),
)
#: A fenced block (CommonMark 4.5): group 3 is what is inside; a fence that is never closed runs to the end.
_FENCE = re.compile(
    r"^ {0,3}((`|~)\2{2,})(?:(?<=`)[^`\n]*|(?<=~)[^\n]*)$\n?(.*?)(?:^ {0,3}\1\2*[ \t]*$|\Z)", re.M | re.S
)


def lower(text: str) -> str:
    """Step 1. The length stays: U+0130 is the only character whose lower case is longer, and becomes a plain i."""
    folded = text.replace("İ", "i").lower().replace("\u2019", "'")
    for character in _WHITE_SPACE:
        # Nearly always absent, and then a replace is one memchr; str.translate is a call for each character.
        folded = folded.replace(character, " ")
    return folded


def fold(lowered: str) -> str:
    """Step 2, of what step 1 made."""
    # Most runs are where lines begin and end; these two steps take half the time of " ".join(lowered.split()).
    text = " ".join(filter(None, map(str.strip, lowered.split("\n"))))
    return " " + (_SPACES.sub(" ", text) if "  " in text else text)


def normalise(pattern: str) -> str:
    """A pattern as it is matched: folded, and trimmed."""
    return fold(lower(pattern)).strip(" ")


class Offsets:
    """Leads from folded text back to the lowered one. The table is built when it is first asked for."""

    def __init__(self, lowered: str) -> None:
        self._lowered = lowered
        self._table: tuple[list[int], list[int]] | None = None

    def original(self, index: int) -> int:
        """Where the character at `index` of the folded text was."""
        if self._table is None:
            self._table = _removals(" " + self._lowered.replace("\n", " "))
        starts, removed = self._table
        return index + removed[bisect_right(starts, index)] - 1


def _removals(spaced: str) -> tuple[list[int], list[int]]:
    """Folded offsets from which on spaces are missing, and how many are before each of them and at the end."""
    starts: list[int] = []
    removed = [0]
    for run in _SPACES.finditer(spaced):
        starts.append(run.start() - removed[-1] + 1)
        removed.append(removed[-1] + run.end() - run.start() - 1)
    return starts, removed


def is_word(character: str) -> bool:
    """Letters, digits, underscore, and marks: without these a boundary would lie within words of Indic scripts."""
    if character.isascii():
        return character.isalnum() or character == "_"
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def is_cjk(character: str) -> bool:
    """Of a script whose words have no boundaries that one could see."""
    code = ord(character)
    return any(first <= code <= last for first, last in _CJK)


def is_boundary(left: str, right: str) -> bool:
    """Whether a word may end between these two neighbours."""
    if left == " " or right == " ":  # nearly always, and this runs for each occurrence
        return True
    return not (is_word(left) and is_word(right)) or is_cjk(left) or is_cjk(right)


def strip_code(text: str) -> str:
    """The text with what stands in fenced blocks blanked out. Offsets and lines stay; the fences stay as a barrier."""
    if "```" not in text and "~~~" not in text:
        return text
    return _FENCE.sub(_blank, text)


def _blank(block: re.Match[str]) -> str:
    inside = re.sub(r"[^\n]", " ", block[3])
    start, end = block.span(3)
    return block[0][: start - block.start()] + inside + block[0][end - block.start() :]
