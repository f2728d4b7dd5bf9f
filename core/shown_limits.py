"""Limits and budgets with what is left of them, as the admin plane shows them. Pure."""

from collections.abc import Callable, Iterable
from typing import Any

from core import budgets
from core.budgets import Account, Limit
from core.limits import Ask, Said
from core.schema import Settings

#: Over how long a limit counts; requests at once have no time.
_PER = {"concurrent": "at once"}


def limits(left: Iterable[tuple[Ask, Said]]) -> list[dict[str, Any]]:
    """`left` is `Limiting.left`. `reset_ms`: when all of it is there again, from now."""
    return [
        {
            "scope": ask.scope,
            "name": ask.whose,
            "limit": ask.kind,
            "per": _PER.get(ask.kind, "minute"),
            "of": ask.limit,
            "left": said.left,
            "reset_ms": said.reset_ms,
            "setting": ask.setting,
        }
        for ask, said in left
    ]


def spending(settings: Settings, known: Callable[[str], Account], now_ms: int) -> list[dict[str, Any]]:
    """Every client key's budgets. `known` is what this process knows of a key; the key without a name is everybody."""
    each = budgets.everybodys(settings, now_ms)
    return [_budget(name, limit, known(name), hard=hard) for name, limit, hard in each]


def _budget(name: str, limit: Limit, account: Account, *, hard: bool) -> dict[str, Any]:
    return {
        "scope": "key",
        "name": name,
        "period": limit.period,
        "limit_micro_usd": limit.micros,
        "spent_micro_usd": account.total(limit.period),
        "reserved_micro_usd": account.holding(),
        "soft": not hard,
        "resets_ms": round(limit.resets.timestamp() * 1000),
        "setting": limit.setting,
    }
