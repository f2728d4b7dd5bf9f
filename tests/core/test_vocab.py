import base64
import hashlib
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core import vocab

PUBLISHED = {  # of `<encoding>.tiktoken`, in OpenAI's tiktoken_ext/openai_public.py
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}
HARD = [
    "",
    "tiktoken is great!",
    "<|endoftext|>",
    "a<|endofprompt|>b <|fim_prefix|><|im_start|>system",
    "I'll DON'T we'Ve 's'S'",
    " " * 5000 + "x" + " " * 333,
    "\t\t\n \r\n\r\n   \n\n\n end ",
    "def f(x):\n    return {\n        'a': [1, 22, 333, 4444, 55555],\n    }\n" * 20,
    "漢字かな交じり文。한국어 문장, 中文文本！" * 30,
    "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪👍🏽" * 20,
    "e\u0301\u0302 Ǆǅǆ ﬁ ß İıſ \u0300",
    "\u2028\u2029\u0085\u000b\u000c\u00a0\u3000\u200b\ufeff",
    "नमस्ते दुनिया สวัสดีชาวโลก مرحبا بالعالم שלום",
    "\x00\x01\x7f\x80",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \U0010ffff \ue000",
    "a" * 3000,
    "aB" * 1500,
    "=" * 2000 + "//" * 500 + "\n/\n",
    "0123456789" * 200 + " ٣٤٥ Ⅷ ½",
    "https://example.org/?q=%20&x=[1]#frag//\\\\server\\share",
    "lone \ud800 surrogate",
]
NAMES = sorted(PUBLISHED)


def noise(seed: int, length: int = 400) -> str:
    """Characters of many planes and kinds, each seed its own text."""
    rng = random.Random(seed)  # noqa: S311 - test data
    pools = (" \n\t\r", "abcXYZ'", "0123456789", "!/=<|>_-", "éßøñ", "漢字かな", "😀👍🏽\u200d", "אבج")
    return "".join(rng.choice(pools[rng.randrange(len(pools))]) * rng.choice((1, 1, 1, 2, 7)) for _ in range(length))


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_tokens_are_the_ones_that_openai_publishes(name: str) -> None:
    lines = (base64.b64encode(token) + b" %d\n" % rank for token, rank in vocab.ranks(name).items())

    assert hashlib.sha256(b"".join(lines)).hexdigest() == PUBLISHED[name]


@pytest.mark.parametrize("name", NAMES)
def test_both_counters_agree(name: str) -> None:
    texts = HARD + [noise(seed) for seed in range(300)]

    assert vocab.ToktokCounter(name).count(texts) == vocab.TiktokenCounter(name).count(texts)


@pytest.mark.parametrize("make", [vocab.TiktokenCounter, vocab.ToktokCounter])
def test_special_token_strings_are_ordinary_text(make: type[vocab.TiktokenCounter] | type[vocab.ToktokCounter]) -> None:
    assert make("cl100k_base").count(["tiktoken is great!", "<|endoftext|>"]) == [6, 7]


def test_a_million_spaces_are_counted_by_the_reference_too() -> None:
    (count,) = vocab.TiktokenCounter("o200k_base").count([" " * 1_000_000])

    assert count == pytest.approx(7813, abs=2 * 1_000_000 // vocab.PIECE_CHARS)


def test_a_long_text_is_cut_only_where_no_token_can_cross() -> None:
    text = "".join(noise(seed) for seed in range(300))
    pieces = vocab.pieces(text)

    assert len(pieces) > 1
    assert "".join(pieces) == text
    assert all(len(piece) <= vocab.PIECE_CHARS for piece in pieces)
    assert vocab.TiktokenCounter("o200k_base").count([text]) == vocab.ToktokCounter("o200k_base").count([text])


def test_the_reference_counts_where_the_fast_wheel_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(vocab.text_counter("cl100k_base"), vocab.ToktokCounter)
    monkeypatch.setitem(sys.modules, "toktok", None)

    assert isinstance(vocab.text_counter("cl100k_base"), vocab.TiktokenCounter)


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4", "cl100k_base"),
        ("gpt-4-0613", "cl100k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("openai/gpt-3.5-turbo", "cl100k_base"),
        ("azure,GPT-35-turbo", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("gpt-4o-mini", "o200k_base"),
        ("chatgpt-4o-latest", "o200k_base"),
        ("gpt-4.1", "o200k_base"),
        ("openrouter,openai/gpt-4o", "o200k_base"),
        ("gpt-5.1-codex", "o200k_base"),
        ("o3", "o200k_base"),
        ("claude-sonnet-4-5", "o200k_base"),
        ("gemini-2.5-flash", "o200k_base"),
        ("", "o200k_base"),
    ],
)
def test_the_model_names_its_encoding(model: str, encoding: str) -> None:
    assert vocab.encoding_of(model) == encoding


def test_an_unknown_encoding_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no encoding 'r50k_base'"):
        vocab.ranks("r50k_base")


def test_a_damaged_vocabulary_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = bytearray((vocab.DATA / "cl100k_base.xz").read_bytes())
    packed[len(packed) // 2] ^= 1
    (tmp_path / "cl100k_base.xz").write_bytes(packed)
    monkeypatch.setattr(vocab, "DATA", tmp_path)

    with pytest.raises(ValueError, match=re.escape(f"{tmp_path}/cl100k_base.xz is damaged")):
        vocab.ranks("cl100k_base")


def test_nothing_is_loaded_at_import_and_nothing_is_fetched_at_all() -> None:
    script = """
import socket, sys
sys.path.insert(0, sys.argv[1])
from core import tokens, vocab
assert not {"tiktoken", "toktok", "requests"} & set(sys.modules), "loaded too early"
def refuse(*_args, **_kwargs): raise AssertionError("network")
socket.socket = socket.create_connection = socket.getaddrinfo = refuse
print(vocab.TiktokenCounter("cl100k_base").count(["hello world"]), vocab.ToktokCounter("o200k_base").count(["a b"]))
"""
    root = str(Path(vocab.__file__).parent.parent)
    run = subprocess.run(
        [sys.executable, "-I", "-c", script, root], capture_output=True, text=True, env={}, check=False
    )

    assert (run.stdout.strip(), run.stderr) == ("[2] [2]", "")
