"""Numbers and words that are almost JSON's: JSON5's, Python's, JavaScript's."""

import json
import re

_TRAILING_COMMENT = re.compile(r"\s*(?://.*|/\*.*?(?:\*/|$))", re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_NUMBER_5 = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_WORDS = {
    **{word: word for word in ("true", "false", "null")},
    "True": "true",
    "False": "false",
    **dict.fromkeys(("None", "undefined", "NaN", "Infinity", "-Infinity", "+Infinity"), "null"),
}


def is_scalar(text: str) -> bool:
    """Whether the text is a number or a word as here."""
    return text in _WORDS or bool(_NUMBER_5.fullmatch(text))


def scalar(said: str, *, cut: bool) -> str:
    """A number or a word as JSON has it, anything else as a string. `cut`: the text ended in it."""
    if _NUMBER.fullmatch(said):
        return said
    bare = _TRAILING_COMMENT.sub("", said, count=1) if "/" in said else said
    if bare in _WORDS:
        return _WORDS[bare]
    if _NUMBER_5.fullmatch(bare):
        return _number(bare)
    if cut and (word := next((word for word in ("true", "false", "null") if word.startswith(said)), "")):
        return word
    if cut and (number := _NUMBER.match(said)) and not said[number.end() :].strip(".eE+-"):
        return number[0]
    return json.dumps(said, ensure_ascii=False)


def _number(text: str) -> str:
    """JSON5's number as JSON's. What JSON5 has not (a leading zero) stays text."""
    sign, digits = ("-" if text[0] == "-" else ""), text.lstrip("+-")
    if digits[:2] in {"0x", "0X"}:
        return f"{sign}{int(digits, 16)}"
    mantissa, mark, exponent = digits.lower().partition("e")
    whole, _, fraction = mantissa.partition(".")
    if len(whole) > 1 and whole[0] == "0":
        return json.dumps(text)
    return f"{sign}{whole or '0'}{f'.{fraction}' if fraction else ''}{mark}{exponent}"
