"""The score of the older proxy, for those who compare: `scoring = "legacy"` shows it, and changes nothing else."""


def legacy_score(match: str, start: int, query: str) -> float:
    """(len(match) / len(query)) * (1 - 0.1 * start / len(query)); lengths and `start` in UTF-8 bytes.

    `match` is lower case, `query` is the lower-cased text. It decays with the length of the query, which is why it is
    not used to rank.
    """
    length = _bytes(query)
    return _bytes(match) / length * (1 - 0.1 * start / length)


def legacy_score_at(query: str, start: int, end: int) -> float:
    """The same for `query[start:end]`, offsets in characters of the text as it was written."""
    return legacy_score(query[start:end].lower(), _bytes(query[:start].lower()), query.lower())


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
