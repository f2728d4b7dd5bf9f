"""How many requests are generated a second, and how many of them are decided, from their bytes on."""

import time
from collections.abc import Iterator

from bench.decisions import snapshot
from bench.row import Row
from core.lab.playing import Player, records
from core.lab.traffic import generate
from core.tokens import TokenCounter
from wasm_host.rule import RuleSet

SUITE = "Generated traffic, one process"


def rows(count: int) -> Iterator[Row]:
    """For so many requests."""
    begun = time.monotonic()
    size = sum(len(sent.body) for sent in generate(1, count))
    rate = count / (time.monotonic() - begun)
    note = f"{size / count / 1000:.0f} kB on average"
    yield Row(suite=SUITE, name="requests made", value=rate, unit="/s", better="higher", note=note)
    shot, counter = snapshot(RuleSet()), TokenCounter()
    sents = list(generate(1, count))
    next(records(sents[:1], Player(shot, counter=counter), shot))  # the vocabularies are loaded before the clock runs
    begun = time.monotonic()
    decided = sum(1 for _ in records(sents, Player(shot, counter=counter), shot))
    rate = decided / (time.monotonic() - begun)
    note = "decoded, counted, decided, recorded"
    yield Row(suite=SUITE, name="requests played", value=rate, unit="/s", better="higher", note=note)
