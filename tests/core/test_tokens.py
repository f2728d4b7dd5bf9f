import threading
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import Raw

from core.messages import Block, Message, Request, Source, Thinking, Tool
from core.tokens import LOAD_BYTES, MESSAGE, PDF_PAGE, REPLY, TOOL, TOOLS_END, TokenCounter, key_of
from core.vocab import TiktokenCounter


class Words:
    """A counter that can be checked by eye: a token a character. Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.made: list[str] = []

    def make(self, encoding: str) -> "Words":
        self.made.append(encoding)
        return self

    def count(self, texts: Sequence[str]) -> list[int]:
        self.asked.append(list(texts))
        return [len(text) for text in texts]


def text(value: str) -> Block:
    return Block(type="text", text=value)


def user(*content: Block) -> Message:
    return Message(role="user", content=list(content))


def request(*messages: Message, **fields: Any) -> Request:
    return Request(**({"dialect": "anthropic", "raw": b"", "model": "claude"} | fields), messages=list(messages))


def counter(words: Words, **options: Any) -> TokenCounter:
    return TokenCounter(make=words.make, **options)


def content_tokens(*blocks: Block) -> int:
    return counter(Words()).count(request(user(*blocks))) - REPLY - MESSAGE


@pytest.mark.parametrize(
    ("block", "tokens"),
    [
        (text("12345"), 5),
        (Block(type="thinking", thinking="123", signature="s" * 99), 3),
        (Block(type="thinking", thinking="", signature="s" * 160), 30),
        (Block(type="redacted_thinking", data="d" * 160), 30),
        (Block(type="tool_use", id="long-id", name="Bash", input=Raw(b'{"a":1}')), MESSAGE + 4 + 7),
        (Block(type="tool_use", name="", input=Raw('"é"'.encode())), MESSAGE + 3),
        (Block(type="tool_result", tool_use_id="x", content="12345"), MESSAGE + 5),
        (Block(type="tool_result", content=[text("12"), Block(type="image")]), MESSAGE + 2 + 1568),
        (Block(type="tool_result", content=None), MESSAGE),
        (Block(type="web_search_tool_result", content={"a": 1}), MESSAGE + 7),
        (Block(type="server_tool_use", name="web_search", input=Raw(b"{}")), MESSAGE + 10 + 2),
        (Block(type="some_new_block", text="123"), 3),
        (Block(type="image", source=Source(type="url", url="https://example.org")), 1568),
        (Block(type="document", source=Source(type="text", data="12345")), 5),
        (Block(type="document", source=Source(type="url")), PDF_PAGE),
        (Block(type="document", source=Source(type="base64", data="x" * 200_000)), 3 * PDF_PAGE),
    ],
)
def test_each_kind_of_block_counts(block: Block, tokens: int) -> None:
    assert content_tokens(block) == tokens


def test_what_surrounds_the_messages_counts() -> None:
    tools = [Tool(name="ab", description="cde", input_schema=Raw(b'{"x":1}')), Tool(name="fg")]
    whole = request(
        user(text("hello")),
        Message(role="system", content=[text("123")]),
        system=[text("sys"), text("tem")],
        tools=tools,
        answer_schema=Raw(b"{}"),
        thinking=Thinking(type="adaptive"),
    )

    assert counter(Words()).count(whole) == sum(
        (REPLY, 2 * MESSAGE + 5 + 3, MESSAGE + 6, TOOLS_END + 2 * TOOL + 2 + 3 + 7 + 2 + 2, 2)
    )


def test_real_vocabularies_count_by_the_model() -> None:
    words = "naïve café 你好世界"

    for model, encoding in (("gpt-4", "cl100k_base"), ("gpt-4o", "o200k_base")):
        (expected,) = TiktokenCounter(encoding).count([words])
        assert TokenCounter().count(request(user(text(words)), model=model)) == REPLY + MESSAGE + expected


def test_a_new_turn_counts_only_what_is_new() -> None:
    words, history = Words(), [user(text("first")), Message(role="assistant", content=[text("answer")])]
    count = counter(words).count
    first = count(request(*history))

    second = count(request(*history, user(text("second"))))

    assert second == first + MESSAGE + 6
    assert words.asked == [["first", "answer"], ["second"]]


def test_a_text_that_appears_twice_is_counted_once_and_added_twice() -> None:
    words = Words()

    assert counter(words).count(request(user(text("same"), text("same")))) == REPLY + MESSAGE + 8
    assert words.asked == [["same"]]


def test_uncounted_is_what_is_tokenised_next() -> None:
    count = counter(Words())
    old, new = request(user(text("old"))), request(user(text("old"), text("newer")))

    assert count.look(old).uncounted == LOAD_BYTES + 3
    count.count(old)
    assert count.look(old).uncounted == 0
    assert count.look(new).uncounted == 5


def test_a_look_goes_on_where_it_ended_whatever_was_counted_meanwhile() -> None:
    words, whole = Words(), request(user(text("old"), text("newer")))
    count = counter(words)
    unloaded = count.look(whole)
    count.count(request(user(text("old"))))
    look = count.look(whole)
    tokens = count.count(whole)

    assert [look.uncounted, look.tokens(), unloaded.tokens()] == [5, tokens, tokens]
    assert words.made == ["o200k_base"]


def test_encodings_do_not_share_counts() -> None:
    words = Words()
    count = counter(words)

    count.count(request(user(text("a")), model="gpt-4"))
    assert count.look(request(user(text("a")), model="gpt-4o")).uncounted == LOAD_BYTES + 1
    assert words.made == ["cl100k_base"]


def test_the_least_recently_used_count_goes_first() -> None:
    words = Words()
    count = counter(words, max_entries=2)
    for value in ("a", "b", "a", "c"):
        count.count(request(user(text(value))))

    assert count.look(request(user(text("a"), text("c")))).uncounted == 0
    assert count.look(request(user(text("b")))).uncounted == 1


def test_a_request_larger_than_the_cache_is_counted_whole() -> None:
    blocks = [text(str(number)) for number in range(10)]

    assert counter(Words(), max_entries=3).count(request(user(*blocks))) == REPLY + MESSAGE + 10


@pytest.mark.parametrize(("one", "other"), [("漢", '"o'), ("Ã©", "Ã©".encode("latin-1")), ("é".encode(), "é")])
def test_texts_with_the_same_buffer_have_different_keys(one: str | bytes, other: str | bytes) -> None:
    """CPython hashes a string's buffer: these pairs share it, or nearly, and are not the same text."""
    assert key_of(one) != key_of(other)


def test_the_buffer_trap_is_real() -> None:
    assert hash("漢") == hash('"o')
    assert hash("Ã©") == hash(b"\xc3\xa9")


def test_threads_agree_and_load_one_vocabulary() -> None:
    words = Words()
    count = counter(words, max_entries=50)
    requests = [request(user(*(text("x" * size) for size in range(start, start + 20)))) for start in range(40)]
    results: list[list[int]] = []

    threads = [
        threading.Thread(target=lambda: results.append([count.count(each) for each in requests])) for _ in "1234"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert results == [[REPLY + MESSAGE + sum(range(start, start + 20)) for start in range(40)]] * 4
    assert words.made == ["o200k_base"]
