"""Which values labels may have: names that the configuration gave, and few of everything else.

A client may call a model whatever it likes, and a provider may answer any status: a series for each of them would fill
Prometheus' memory and ours. Of each kind at most `MAX_NAMES` are configured at once. A name that is configured no more
keeps its series as long as there are not many of these: then those go that were configured the longest ago, and what
they counted is added to `other`, so that no sum falls.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from http import HTTPStatus
from typing import Final

from core.metrics.instruments import OTHER
from core.session import STICKY
from core.telemetry import GEN_AI_PROVIDERS, Kind, Metric

#: At most so many names of a kind are configured at once, and so many values has a label that the proxy gives itself.
MAX_NAMES: Final = 2000
MAX_OWN: Final = 100
#: So many names of a kind may stay that are configured no more: as many as are configured, but at least so many. They
#: may become twice as many, for to look at all series for each name that goes would be dear.
LEAST_GONE: Final = 64
#: A name that needs no configuration is of every one.
_ALWAYS: Final = 1 << 62
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
        #: When each name was configured last, as the number of the configuration.
        self._names: dict[Kind, dict[str, int]] = {"reason": dict.fromkeys(_REASONS, _ALWAYS)}
        self._now = 0
        #: How many names of now there are.
        self._configured: Counter[Kind] = Counter()
        self._own: dict[tuple[str, str], set[str]] = {}

    def turn(self) -> None:
        """What is learned from here on is of another configuration."""
        self._now += 1
        self._configured.clear()

    def learn(self, kind: Kind, names: Iterable[str]) -> None:
        """These are configured."""
        known = self._names.setdefault(kind, {})
        for name in names:
            if known.get(name, -1) < self._now and self._configured[kind] < MAX_NAMES:
                known[name] = self._now
                self._configured[kind] += 1

    def forget(self) -> bool:
        """Of too many names that are configured no more, those that were the longest ago; whether there were any."""
        forgotten = False
        for kind, known in self._names.items():
            gone = sorted((name for name, at in known.items() if at < self._now), key=known.__getitem__)
            room = max(LEAST_GONE, self._configured[kind])
            if len(gone) > 2 * room:
                forgotten = True
                for name in gone[:-room]:
                    del known[name]
        return forgotten

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
        known = self._names.get(kind, ())
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
