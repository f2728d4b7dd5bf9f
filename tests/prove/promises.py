"""Every promise that is tried, in the order of the run: what `python -m prove` knows, and docs/security.md states."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from prove import (
    addresses,
    answers,
    attacks,
    backtest,
    budgets,
    canaries,
    corpus,
    draining,
    drips,
    endurance,
    kills,
    leaks,
    leaving,
    ledger,
    limits,
    never_read,
    outage,
    overload,
    purity,
    records,
    redis_faults,
    reloads,
    replays,
    replicas,
    restart,
    rollout,
    sdks,
    smuggling,
    storm,
    translation,
    truth,
)
from prove.profile import Profile
from prove.section import Section

#: Tries a promise in a folder of its own, which does not exist yet, as much as the profile says.
Proof = Callable[[Path, Profile], Section]

PROMISES: Final[dict[str, Proof]] = {
    # What rules can do.
    "attacks": lambda folder, much: attacks.section(folder, much.every, much.rounds),
    "kills": lambda folder, much: kills.section(folder, much.kills),
    "storm": lambda folder, much: storm.section(folder, much.file_operations),
    "answers": lambda folder, much: answers.section(folder, much.answers, much.answers_over_http),
    "leaks": lambda folder, _: leaks.section(folder),
    "rollout": lambda folder, much: rollout.section(folder, much.rolled_out),
    "backtest": lambda folder, much: backtest.section(folder, much.backtested),
    "endurance": lambda folder, much: endurance.section(folder, much.calls, much.traps),
    # What clients can do.
    "never_read": lambda folder, much: never_read.section(folder, much.mute),
    "drips": lambda folder, much: drips.section(folder, much.drips),
    "overload": lambda folder, much: overload.section(folder, much.connections, much.junk),
    "disconnect": lambda folder, much: leaving.disconnect(folder, much.leaving),
    "cancels": lambda folder, much: leaving.cancels(folder, much.cancels),
    "nonces": lambda folder, much: leaving.nonces(folder, much.nonces),
    "mixed": lambda folder, much: leaving.mixed(folder, much.mixed, much.reloads),
    # What changes while it serves.
    "reloads": lambda folder, much: reloads.section(folder, much.reloaded, much.reload_streams),
    # Where the proxy goes.
    "addresses": lambda folder, much: addresses.section(folder, much.every_spelling),
    # What providers can do.
    "truth": lambda folder, much: truth.section(folder, much.exchanges),
    "translation": lambda folder, much: translation.section(folder, much.streams),
    "sdks": lambda folder, much: sdks.section(folder, much.sdk_calls),
    "outage": lambda folder, much: outage.section(folder, much.outage),
    # What proxies share.
    "redis": lambda folder, much: redis_faults.section(folder, much.redis_s),
    # What clients can send.
    "corpus": lambda folder, much: corpus.section(folder, much.every_body),
    "smuggling": lambda folder, much: smuggling.section(folder, much.cut_every),
    # What is kept.
    "records": lambda folder, much: records.section(folder, much.writers, much.unrecorded),
    "ledger": lambda folder, much: ledger.section(folder, much.tampers, much.ledger_writers),
    "limits": lambda folder, much: limits.section(folder, much.limited, much.limited_s, much.limit_steps),
    "budgets": lambda folder, much: budgets.section(folder, much.spenders),
    # What can be made again.
    "purity": lambda folder, much: purity.section(folder, much.decided),
    "replays": lambda folder, much: replays.section(folder, much.replayed),
    # What is kept secret.
    "canaries": lambda folder, much: canaries.section(folder, much.canary_exchanges, much.every_place),
    # How it ends, and begins again.
    "drain": lambda folder, much: draining.section(folder, much.drained),
    "restart": lambda folder, much: restart.section(folder, much.restarts),
    # How several are one.
    "replicas": lambda folder, much: replicas.section(folder, much.rolls),
}
