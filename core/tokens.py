"""Tokens of whole requests, counted once for each distinct text.

A conversation sends its whole history with every turn, so counts are kept by content: turn N counts what is new and
looks up the rest. Text is exact for the model's own vocabulary (`vocab`); what surrounds it is estimated:

- message, reply, tool: the numbers of OpenAI's cookbook, "How to count tokens with tiktoken". A tool call and a
  tool result are a message each, tool schemas are counted as the JSON that they are;
- image: the rule of the model's family (`image_rules`);
- PDF: Anthropic's 1,500–3,000 tokens of text a page plus the page's picture ("PDF support"), a page taken as 50 KB of
  file; a document that is not in the request counts as one page;
- sealed thinking (redacted, or a signature without text): four of its bytes, after base64, are one token.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec

from core.images import image_tokens
from core.messages import Block, Request, Source, Tool
from core.vocab import TextCounter, encoding_of, text_counter

MESSAGE = 4  # 3, and the role
REPLY = 3
TOOL = 7
TOOLS_END = 12
PDF_PAGE_BYTES = 50_000
PDF_PAGE = 2_000 + 1_568

#: About 300 bytes each (key, count and links; never text), so the cache of one encoding is at most 20 MB.
MAX_ENTRIES = 65_536
#: Loading a vocabulary takes as long as counting this much text: until it is loaded it counts as uncached.
LOAD_BYTES = 32_000_000

Text = str | bytes
#: (hash, length; bytes: negative). Python's hash of a text is SipHash-1-3 over its buffer under a secret of the
#: process: nobody can aim at a collision, and a wrong hit would only be a wrong estimate. It is kept in the string
#: and five times as fast as BLAKE2. The length tells "漢" from '"o', the sign "Ã©" from b"\xc3\xa9": same buffers.
Key = tuple[int, int]


class TokenCounter:
    """Counts requests; safe in several threads. Vocabularies are loaded at the first count that needs them."""

    def __init__(self, *, max_entries: int = MAX_ENTRIES, make: Callable[[str], TextCounter] = text_counter) -> None:
        self._max_entries = max_entries
        self._make = make
        self._memos: dict[str, _Memo] = {}
        self._loading = threading.Lock()

    def count(self, request: Request) -> int:
        """Input tokens of a request, as its own model counts them."""
        return self.look(request).tokens()

    def look(self, request: Request) -> "Look":
        """What is known of a request's count. It is read once: `Look.tokens` goes on from there, in any thread."""
        texts, extra = measure(request)
        encoding = encoding_of(request.model)
        memo = self._memos.get(encoding)
        if memo is None:
            return Look(lambda: self._memo(encoding), extra, [(key_of(text), text) for text in texts], LOAD_BYTES)
        known, new = memo.look(texts)
        return Look(lambda: memo, extra + known, new)

    def _memo(self, encoding: str) -> "_Memo":
        memo = self._memos.get(encoding)
        if memo is None:
            with self._loading:  # a second thread waits for the first one's vocabulary
                memo = self._memos.get(encoding) or _Memo(self._make(encoding), self._max_entries)
                self._memos[encoding] = memo
        return memo


class Look:
    """A request's count as far as it is known. `uncounted` is how much text the rest is (characters of text, bytes of
    JSON): when large, count elsewhere than on the event loop. `LOAD_BYTES` more while the vocabulary is not loaded.
    """

    __slots__ = ("_known", "_memo", "_new", "uncounted")

    def __init__(
        self, memo: Callable[[], "_Memo"], known: int, new: "list[tuple[Key, Text]]", loading: int = 0
    ) -> None:
        self._memo, self._known, self._new = memo, known, new
        self.uncounted = loading + sum(len(text) for _, text in new)

    def tokens(self) -> int:
        """All of them: what is new is tokenised."""
        return self._known + self._memo().count(self._new) if self._new else self._known


class _Memo:
    """The counts of one encoding: least recently used out first. The lock is never held while text is tokenised."""

    def __init__(self, counter: TextCounter, max_entries: int) -> None:
        self._counter = counter
        self._max_entries = max_entries
        self._counts: OrderedDict[Key, int] = OrderedDict()
        self._lock = threading.Lock()

    def look(self, texts: list[Text]) -> tuple[int, list[tuple[Key, Text]]]:
        """The tokens of those that are known, and those that are not."""
        total, new = 0, []
        get, touch = self._counts.get, self._counts.move_to_end
        with self._lock:
            for text in texts:
                key = hash(text), len(text) if isinstance(text, str) else -len(text)
                known = get(key)
                if known is None:
                    new.append((key, text))
                else:
                    touch(key)
                    total += known
        return total, new

    def count(self, new: list[tuple[Key, Text]]) -> int:
        """Tokenise these; from now on they are known."""
        texts = dict(new)
        counts = dict(zip(texts, self._counter.count([_str(text) for text in texts.values()]), strict=True))
        with self._lock:
            self._counts.update(counts)
            while len(self._counts) > self._max_entries:
                self._counts.popitem(last=False)
        return sum(counts[key] for key, _ in new)


def key_of(text: Text) -> Key:
    """What a text is known by in the cache."""
    return hash(text), len(text) if isinstance(text, str) else -len(text)


def measure(request: Request) -> tuple[list[Text], int]:
    """Every text of a request, and the tokens of what is not text."""
    texts: list[Text] = []
    extra = REPLY + MESSAGE * len(request.messages)
    if request.system:
        extra += MESSAGE + _blocks(request.system, texts, request.model)
    for message in request.messages:
        extra += _blocks(message.content, texts, request.model)
    if request.tools:
        extra += TOOLS_END + TOOL * len(request.tools)
        _tools(request.tools, texts)
    if schema := bytes(request.answer_schema):
        texts.append(schema)
    return texts, extra


def _blocks(blocks: Iterable[Block], texts: list[Text], model: str) -> int:
    """Append the blocks' texts; the tokens of the rest."""
    extra = 0
    for block in blocks:
        if block.type == "text":
            texts.append(block.text)
        else:
            extra += _OTHER.get(block.type, _unknown)(block, texts, model)
    return extra


def _tools(tools: Iterable[Tool], texts: list[Text]) -> None:
    for tool in tools:
        texts += (tool.name, tool.description, bytes(tool.input_schema))


def _tool_use(block: Block, texts: list[Text], _model: str) -> int:
    texts += (block.name, bytes(block.input))
    return MESSAGE


def _result(block: Block, texts: list[Text], model: str) -> int:
    content = block.content
    if isinstance(content, str):
        texts.append(content)
    elif isinstance(content, list):
        return MESSAGE + _blocks(content, texts, model)
    elif content:
        texts.append(msgspec.json.encode(content))
    return MESSAGE


def _thinking(block: Block, texts: list[Text], _model: str) -> int:
    if block.thinking:
        texts.append(block.thinking)
        return 0
    return sealed_tokens(block.signature or "")


def _redacted(block: Block, _texts: list[Text], _model: str) -> int:
    return sealed_tokens(block.data)


def _image(block: Block, _texts: list[Text], model: str) -> int:
    return image_tokens(block.source, model)


def _document(block: Block, texts: list[Text], _model: str) -> int:
    source = block.source or Source(type="")
    if source.type == "text":
        texts.append(source.data)
        return 0
    return max(1, math.ceil(len(source.data) * 0.75 / PDF_PAGE_BYTES)) * PDF_PAGE


def _unknown(block: Block, texts: list[Text], model: str) -> int:
    """A block type that is not known here: whatever it carries in the fields that are."""
    if block.text:
        texts.append(block.text)
    if block.content:
        return _result(block, texts, model)
    return _tool_use(block, texts, model) if block.name else 0


_OTHER: dict[str, Callable[[Block, list[Text], str], int]] = {
    "tool_use": _tool_use,
    "tool_result": _result,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
    "image": _image,
    "document": _document,
}


def sealed_tokens(data: str) -> int:
    """Tokens of text that is only there encrypted and in base64."""
    return len(data) * 3 // 16


def _str(text: Text) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "replace")
