"""Which values labels may have: names that the configuration gave, and few of everything else.

A client may call a model whatever it likes, and a provider may answer any status: a series for each of them would fill
Prometheus' memory and ours. A name that was configured once keeps its series, so that no sum ever falls; of each kind
at most `MAX_NAMES` are learned.
"""

from collections.abc import Collection, Iterable
from http import HTTPStatus
from typing import Final

from core.metrics.instruments import OTHER
from core.session import STICKY
from core.telemetry import GEN_AI_PROVIDERS, Kind, Metric

#: At most so many names of a kind are ever learned, and so many values of a label that the proxy gives itself.
MAX_NAMES: Final = 2000
MAX_OWN: Final = 100
#: Those of HTTP's registry, Anthropic's "overloaded", and nginx's name for a client that left.
STATUSES: Final = frozenset(str(status.value) for status in HTTPStatus) | {"529", "499"}
#: Reasons that need no configuration.
_REASONS: Final = (
    *("explicit", "subagent", "image", "web_search", "long_context", "thinking", "background", "default"),
    *("denied", "no_target"),
)


class Known:
    """The names of one process."""

    def __init__(self) -> None:
        self._names: dict[Kind, set[str]] = {"reason": set(_REASONS)}
        self._own: dict[tuple[str, str], set[str]] = {}

    def learn(self, kind: Kind, names: Iterable[str]) -> None:
        """These are configured."""
        known = self._names.setdefault(kind, set())
        for name in names:
            if len(known) < MAX_NAMES:
                known.add(name)

    def learn_targets(self, targets: Iterable[tuple[str, str]]) -> None:
        """These are configured: provider and model."""
        every = list(targets)
        self.learn("target", (f"{provider},{model}" for provider, model in every))
        self.learn("model", (model for _, model in every))
        self.learn_providers({provider for provider, _ in every})

    def learn_providers(self, providers: Iterable[str]) -> None:
        """These are configured."""
        for name in sorted(providers):
            self.learn("provider", (name, GEN_AI_PROVIDERS.get(name, name)))

    def admit(self, metric: Metric, label: str, value: str) -> str:
        """What may stand there: the value itself, or `other`."""
        kind = metric.open.get(label)
        if kind is None:
            return self._of_ours(metric, label, value)
        if kind == "any":
            return value
        if kind == "status":
            return _status(value) if value.isdigit() else self._of_ours(metric, label, value)
        known = self._names.get(kind, set())
        if value in known or (kind == "reason" and _stays(value, known)):
            return value
        provider = value.partition(",")[0]
        if kind == "target" and provider in self._names.get("provider", ()):
            return f"{provider},{OTHER}"  # a provider that takes any model
        return OTHER

    def _of_ours(self, metric: Metric, label: str, value: str) -> str:
        own = self._own.setdefault((metric.name, label), set())
        if value not in own and len(own) >= MAX_OWN:
            return OTHER
        own.add(value)
        return value


def _stays(reason: str, known: Collection[str]) -> bool:
    """Whether it says of a known reason that a session stayed where it was: `routing.sticky` leaves out `concept:`."""
    what = reason.removeprefix(STICKY)
    return what != reason and (what in known or f"concept:{what}" in known)


def _status(value: str) -> str:
    if value in STATUSES:
        return value
    return f"{value[0]}xx" if len(value) == 3 and value[0] in "12345" else OTHER
