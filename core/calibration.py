"""What providers' own counts say of ours: one correction factor a model, pure.

A vocabulary is exact for the models that it was made for. For all others the count is an estimate that is wrong in one
direction: a model's own tokenizer cuts finer or coarser, and its provider adds words of its own around tools and turns.
Each answer tells how many tokens its request really had, so that

    ratio  = tokens that the provider reported (fresh, read from a cache and written to one) / tokens that we counted
    factor = median of the model's last 25 ratios, once there are three; 1 before

The median because of what reports get wrong: one that leaves out a cached prefix, or counts a search's results, is far
off, and as long as fewer than half are so, none of them moves the factor by more than the scatter of the good ones. A
tokenizer that is replaced by another is followed within 13 answers. What is no ratio of two tokenizers (under 0.6, over
3), and requests too short to tell (under 256 tokens), do not count at all.
"""

from collections.abc import Mapping, Sequence

from core.messages import Usage
from core.model_names import same_model

LAST = 25
AT_LEAST = 3
LEAST_TOKENS = 256
#: Ratios are kept in thousandths.
LEAST, MOST = 600, 3000
#: Models that are remembered; the one that answered longest ago goes first.
MAX_MODELS = 256
#: A longer name is none (and would be kept).
NAME_CHARS = 256


def ratio(counted: int, usage: Usage) -> int | None:
    """Thousandths; None if the report says nothing about the tokenizer."""
    reported = usage.input + usage.cache_read + usage.cache_write
    if counted < LEAST_TOKENS or not reported:
        return None
    thousandths = round(1000 * reported / counted)
    return thousandths if LEAST <= thousandths <= MOST else None


def factor(ratios: Sequence[int]) -> float:
    """The correction that these ratios amount to."""
    if len(ratios) < AT_LEAST:
        return 1.0
    return sorted(ratios)[len(ratios) // 2] / 1000


def factor_of(factors: Mapping[str, float], *names: str) -> float:
    """The factor of the first of these models that has one; 1 if none has. A name may be a target's."""
    if not factors:
        return 1.0
    known = (factors.get(same_model(name[:NAME_CHARS])) for name in names if name)
    return next(filter(None, known), 1.0)


def corrected(counted: int, by: float) -> int:
    """Tokens as the provider will count them."""
    return round(counted * by)


class Calibration:
    """What was learned. `factors` is never changed, only replaced: a decision keeps the one that it began with."""

    def __init__(self, ratios: Mapping[str, Sequence[int]] | None = None) -> None:
        sound = {name: tuple(r for r in known if LEAST <= r <= MOST)[-LAST:] for name, known in (ratios or {}).items()}
        self._ratios = dict(list(sound.items())[-MAX_MODELS:])
        self.factors: Mapping[str, float] = {}
        self.changes = 0
        self._publish()

    @property
    def ratios(self) -> Mapping[str, tuple[int, ...]]:
        """By model, the one that answered last last."""
        return self._ratios

    def learn(self, model: str, counted: int, usage: Usage) -> None:
        """What an answer's report says about its model; `counted` is our count of its request, uncorrected."""
        found = ratio(counted, usage)
        if found is None or len(model) > NAME_CHARS:
            return
        name = same_model(model)
        self._ratios[name] = (*self._ratios.pop(name, ()), found)[-LAST:]
        if len(self._ratios) > MAX_MODELS:
            del self._ratios[next(iter(self._ratios))]
        self.changes += 1
        self._publish()

    def _publish(self) -> None:
        found = {name: by for name, ratios in self._ratios.items() if (by := factor(ratios)) != 1}
        if found != self.factors:
            self.factors = found
