"""Rebuild `core/_data/vocab/` from the npm package `tiktoken`: `python tools/make_vocab.py [PACKAGE.tgz]`.

Without an argument the package is fetched by name with `npm pack`. Its ranks are checked against the SHA-256 that
OpenAI's own `tiktoken` publishes for the same vocabulary, so the npm package need not be trusted.

A data file is xz over: the length of each token (one byte each, in rank order), then all tokens. A token's rank is
its position. `index.json` holds what else an encoding needs, and the files' SHA-256.
"""

import base64
import hashlib
import io
import lzma
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import msgspec

VERSION = "1.0.22"
#: SHA-256 of `<encoding>.tiktoken`, as in tiktoken's `tiktoken_ext/openai_public.py`.
PUBLISHED = {
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}
OUT = Path(__file__).resolve().parent.parent / "core" / "_data" / "vocab"


def fetch() -> bytes:
    """The package, from whatever registry npm is configured for."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"tiktoken@{VERSION}"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - constant words
        return next(Path(folder).glob("*.tgz")).read_bytes()


def tokens_of(ranks: str) -> list[bytes]:
    """Tokens in rank order from npm's text: lines of `! FIRST_RANK base64 base64 …`."""
    tokens: list[bytes] = []
    for line in ranks.splitlines():
        _, first, *words = line.split(" ")
        if int(first) != len(tokens):
            raise ValueError(f"ranks have a gap before {first}: the format of the data files cannot say that")
        tokens += map(base64.b64decode, words)
    return tokens


def check(name: str, tokens: list[bytes]) -> None:
    """ValueError unless these are exactly OpenAI's tokens."""
    lines = (base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens))
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    if digest != PUBLISHED[name]:
        raise ValueError(f"{name}: SHA-256 {digest} is not the published {PUBLISHED[name]}")


def build(name: str, package: tarfile.TarFile) -> dict[str, Any]:
    """Write one data file; its entry for the index."""
    member = package.extractfile(f"package/encoders/{name}.json")
    if member is None:
        raise ValueError(f"the package has no encoder {name}")
    source = msgspec.json.decode(member.read())
    tokens = tokens_of(source["bpe_ranks"])
    check(name, tokens)
    packed = lzma.compress(bytes(map(len, tokens)) + b"".join(tokens), preset=9 | lzma.PRESET_EXTREME)
    (OUT / f"{name}.xz").write_bytes(packed)
    return {
        "sha256": hashlib.sha256(packed).hexdigest(),
        "size": len(tokens),
        "pattern": source["pat_str"],
        "special_tokens": source["special_tokens"],
    }


def main() -> None:
    """Build every encoding in `PUBLISHED`, then the index."""
    data = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else fetch()
    OUT.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(data)) as package:
        index = {name: build(name, package) for name in PUBLISHED}
    (OUT / "index.json").write_bytes(msgspec.json.format(msgspec.json.encode(index)) + b"\n")


if __name__ == "__main__":
    main()
