"""Many sessions at once, one request after another by their time."""

from collections.abc import Iterator
from heapq import heapify, heapreplace
from itertools import islice
from random import Random
from typing import Final, NamedTuple

import msgspec

from core.exchange import Target
from core.lab.prompt_caches import PromptCaches
from core.lab.traffic import claude_code, codex, sdk
from core.lab.traffic.claude_wire import Desk
from core.lab.traffic.codex import Workbench
from core.lab.traffic.mix import Mix
from core.lab.traffic.sent import Sent
from core.lab.traffic.texts import Texts
from core.schema import Price

#: When the first user begins: 2026-03-02 08:00 UTC, in milliseconds of Unix time.
START_MS: Final = 1_772_438_400_000
#: Within so many milliseconds all users have begun.
ARRIVAL_MS: Final = 600_000
#: A provider that sells reading from its prompt cache and writing to it.
_ANY, _PRICE = Target("any", "any"), Price(cache_read=1, cache_write=1)


class _Next(NamedTuple):
    """A user's next request; by time, and by the user where two are of one."""

    at_ms: int
    user: int
    sent: Sent
    more: Iterator[Sent]


def generate(seed: int, requests: int, mix: Mix | None = None) -> Iterator[Sent]:
    """So many requests, in the order of their times. ValueError if the mix has no users or no sessions."""
    return islice(_endless(seed, mix or Mix()), requests)


def _endless(seed: int, mix: Mix) -> Iterator[Sent]:
    if mix.users < 1 or mix.keys < 1 or mix.claude_code + mix.codex + mix.sdk < 1:
        raise ValueError("a mix needs users, keys and sessions")
    texts, caches = Texts(seed), PromptCaches()
    waiting = [_next(user, _user(seed, user, mix, texts)) for user in range(mix.users)]
    heapify(waiting)
    while True:
        at_ms, user, sent, more = waiting[0]
        yield msgspec.structs.replace(sent, usage=caches.ask(_ANY, _PRICE, sent.prompt, sent.output, at_ms))
        heapreplace(waiting, _next(user, more))


def _next(user: int, more: Iterator[Sent]) -> _Next:
    sent = next(more)
    return _Next(sent.at_ms, user, sent, more)


def _user(seed: int, number: int, mix: Mix, texts: Texts) -> Iterator[Sent]:
    """One user's requests: session after session, for ever."""
    random = Random(f"{seed} user {number}")  # noqa: S311 (made-up traffic, no secret)
    key, name = f"key-{number % mix.keys + 1}", f"user {number}"
    desk, bench = Desk(name, key, random, mix, texts), Workbench(name, key, random, mix, texts)
    kinds = ("claude_code",) * mix.claude_code + ("codex",) * mix.codex + ("sdk",) * mix.sdk
    now_ms = START_MS + random.randrange(ARRIVAL_MS)
    while True:
        session = _session(random.choice(kinds), desk, bench, random, now_ms)
        yield from session.play()
        now_ms = session.now_ms + random.randrange(5_000, 900_000)


def _session(
    kind: str, desk: Desk, bench: Workbench, random: Random, now_ms: int
) -> claude_code.Session | codex.Session | sdk.Session:
    own = Random(random.getrandbits(64))  # noqa: S311
    if kind == "claude_code":
        return claude_code.Session(desk, own, now_ms)
    if kind == "codex":
        return codex.Session(bench, own, now_ms)
    return sdk.Session(desk.key, own, desk.mix, desk.texts, now_ms)
