"""Which vocabulary a model counts with, and the two counters that can use it. Offline; nothing is loaded at import.

tiktoken is the reference and the fallback. toktok-rs, where its wheel is installed, gives the same counts many times
faster and without building ids. `tools/make_vocab.py` makes the data files and says what is in them.
"""

import hashlib
import lzma
import re
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from tiktoken import Encoding

DATA = Path(__file__).parent / "_data" / "vocab"
DEFAULT = "o200k_base"
#: Prefixes of the lower-cased model name; the first that fits wins. OpenAI's models are exact (as tiktoken's own table
#: has them). Other vendors publish no tokenizer that could ship, or one a model: their counts are estimates, and the
#: largest vocabulary is the nearest to all of them.
FAMILIES = (
    ("gpt-4o", "o200k_base"),
    ("gpt-4.", "o200k_base"),
    ("gpt-4", "cl100k_base"),
    ("gpt-3.5", "cl100k_base"),
    ("gpt-35", "cl100k_base"),
    ("text-embedding-", "cl100k_base"),
    ("", DEFAULT),
)
#: tiktoken's regular expression overflows its stack (a panic, not an Exception) somewhere below a million spaces.
PIECE_CHARS = 50_000


class TextCounter(Protocol):
    """Counts tokens of texts, special-token strings such as `<|endoftext|>` as the ordinary text that they are here."""

    def count(self, texts: Sequence[str]) -> list[int]:
        """One count a text, in order. Releases the GIL for most of its work; safe in several threads."""
        ...


class _Entry(msgspec.Struct, frozen=True):
    sha256: str
    size: int
    pattern: str
    special_tokens: dict[str, int]


def encoding_of(model: str) -> str:
    """The name of the encoding that a model's text is counted with; `vendor/` and `provider,` parts are ignored."""
    name = model.rpartition(",")[2].rpartition("/")[2].strip().lower()
    return next(encoding for prefix, encoding in FAMILIES if name.startswith(prefix))


def ranks(name: str) -> dict[bytes, int]:
    """Token → rank. ValueError if the data file is not the one that the index names."""
    entry = _entry(name)
    packed = (DATA / f"{name}.xz").read_bytes()
    if hashlib.sha256(packed).hexdigest() != entry.sha256:
        raise ValueError(f"{DATA}/{name}.xz is damaged (SHA-256 differs from index.json): reinstall the package")
    data = lzma.decompress(packed)
    table, end = {}, entry.size
    for rank in range(entry.size):
        begin, end = end, end + data[rank]
        table[data[begin:end]] = rank
    return table


@cache
def encoding(name: str) -> "Encoding":
    """An encoding of tiktoken's, built from the files of this package. Takes about half a second, once."""
    import tiktoken  # noqa: PLC0415 - costs memory that a proxy which never counts need not pay

    entry = _entry(name)
    return tiktoken.Encoding(
        name, pat_str=entry.pattern, mergeable_ranks=ranks(name), special_tokens=entry.special_tokens
    )


class TiktokenCounter:
    """The reference. Builds all ids, so it is slower and needs memory in proportion to the text."""

    def __init__(self, name: str) -> None:
        self._encoding = encoding(name)

    def count(self, texts: Sequence[str]) -> list[int]:
        return [sum(len(self._encoding.encode_ordinary(piece)) for piece in pieces(text)) for text in texts]


class ToktokCounter:
    """toktok-rs, its vocabularies compiled in. ImportError where its wheel is not installed or does not run."""

    def __init__(self, name: str) -> None:
        import toktok  # noqa: PLC0415 - as tiktoken: 30 MB and half a second at the first use

        # One thread: other requests want the other cores.
        self._count: Callable[[Sequence[str]], list[int]] = partial(toktok.batch_count, encoding=name, threads=1)
        self._count([])

    def count(self, texts: Sequence[str]) -> list[int]:
        try:
            return self._count(texts)
        except UnicodeEncodeError:
            return self._count([_sound(text) for text in texts])


def text_counter(name: str) -> TextCounter:
    """The counter to use: the fast one where it is installed."""
    try:
        return ToktokCounter(name)
    except ImportError:
        return TiktokenCounter(name)


def pieces(text: str) -> list[str]:
    """`text` in pieces of at most `PIECE_CHARS`, cut where no token can cross: before a space that follows a word.

    Where there is no such place (a huge run of one kind) a cut may cost a token or two.
    """
    found, begin = [], 0
    while len(text) - begin > PIECE_CHARS:
        end = begin + PIECE_CHARS
        cuts = re.finditer(r"(?<=[^\s]) ", text[end - 1000 : end])
        end = max((end - 1000 + cut.start() for cut in cuts), default=end)
        found.append(text[begin:end])
        begin = end
    return [*found, text[begin:]]


def _sound(text: str) -> str:
    """Lone surrogates replaced, as tiktoken does it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@cache
def vocabularies() -> str:
    """SHA-256 of the index, which names the SHA-256 of each vocabulary."""
    return hashlib.sha256((DATA / "index.json").read_bytes()).hexdigest()


@cache
def _index() -> dict[str, _Entry]:
    return msgspec.json.decode((DATA / "index.json").read_bytes(), type=dict[str, _Entry])


def _entry(name: str) -> _Entry:
    index = _index()
    if name not in index:
        raise ValueError(f"no encoding {name!r}: there are {', '.join(index)}")
    return index[name]
