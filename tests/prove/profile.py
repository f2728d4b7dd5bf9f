"""How much is tried: `short` in each run of the CI, `full` for a release."""

from typing import Final

from msgspec import Struct


class Profile(Struct, frozen=True, kw_only=True):
    """Numbers of attempts; the defaults are the full volumes, one line a number.

    `every` takes each n-th vector and bomb; `rounds` have a baseline each.
    """

    name: str = "full"
    every: int = 1
    rounds: int = 5
    kills: int = 1_000
    file_operations: int = 2_000
    answers: int = 100_000
    answers_over_http: int = 10_000
    calls: int = 100_000
    traps: int = 20_000
    mute: int = 500
    drips: int = 1_000
    connections: int = 1_000
    junk: int = 10_000
    every_spelling: int = 1
    exchanges: int = 10_000
    streams: int = 10_000
    sdk_calls: int = 27  # of each fault: three APIs of two SDKs, three ways to ask, three providers
    leaving: int = 2_000
    cancels: int = 20_000
    nonces: int = 100_000
    mixed: int = 100_000
    reloads: int = 1_000
    reloaded: int = 1_000
    reload_streams: int = 200
    rolled_out: int = 20_000
    backtested: int = 20_000
    limited: int = 1_000
    limited_s: int = 100
    limit_steps: int = 10_000
    outage: int = 5_000
    redis_s: float = 10.0  # of each fault
    drained: int = 200
    restarts: int = 50
    writers: int = 200
    unrecorded: int = 12_000
    spenders: int = 200
    tampers: int = 2_000
    ledger_writers: int = 100
    rolls: int = 10
    decided: int = 100_000
    replayed: int = 10_000
    canary_exchanges: int = 10_000
    every_place: int = 1
    every_body: int = 1
    cut_every: int = 3  # bytes between two cuts of a smuggling probe


PROFILES: Final = {
    "full": Profile(),
    "short": Profile(
        name="short",
        every=10,
        kills=50,
        file_operations=100,
        answers=5_000,
        answers_over_http=500,
        calls=5_000,
        traps=1_000,
        mute=50,
        drips=100,
        connections=100,
        junk=500,
        every_spelling=4,
        exchanges=500,
        streams=450,
        sdk_calls=2,
        leaving=100,
        cancels=1_000,
        nonces=2_000,
        mixed=1_500,
        reloads=50,
        reloaded=24,
        reload_streams=40,
        rolled_out=1_600,
        backtested=400,
        limited=100,
        limited_s=10,
        limit_steps=1_000,
        outage=300,
        redis_s=1.0,
        drained=40,
        restarts=5,
        writers=10,
        unrecorded=600,
        spenders=40,
        tampers=80,
        ledger_writers=6,
        rolls=1,
        decided=600,
        replayed=200,
        canary_exchanges=120,
        every_place=8,
        every_body=5,
        cut_every=100,
    ),
}
