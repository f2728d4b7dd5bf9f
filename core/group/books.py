"""What all workers have spent and hold of clients' budgets. Pure; money is micro-USD.

As a Redis keeps it (`core.state.budgets_redis`): each worker says its own sums, which only grow, and what a request
wants to hold; here it is judged with those of all others.
"""

from collections import defaultdict
from collections.abc import Mapping

from core.group.messages import Share
from core.state.budgets_redis import Shared

#: By client key, and below that by period.
Sums = Mapping[str, Mapping[str, int]]


class _Book:
    """One client key's: by period what was spent, by worker; by worker what requests hold; and what the dead spent."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self.held: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self.before: dict[str, int] = {}

    def others(self, worker: str, period: str) -> int:
        sums = self.spent[period]
        return self.before.get(period, 0) + sum(sums.values()) - sums.get(worker, 0)


class Books:
    """Those of all client keys."""

    def __init__(self) -> None:
        self._books: defaultdict[str, _Book] = defaultdict(_Book)
        self._begun = False

    def begin(self, before: Sums) -> None:
        """What was spent before the first worker began; nobody else's word counts, for it would hold what is here."""
        if not self._begun:
            self._begun = True
            for key, periods in before.items():
                self._books[key].before = dict(periods)

    def share(self, worker: str, said: Share) -> Shared:
        """Take note of what it says; whether there is room for what it wants (less than 0: the request is over)."""
        book = self._books[said.key]
        own = book.held[worker]
        if said.held is not None:
            own.clear()
            own.update(said.held)
        elif said.wanted < 0:
            own.pop(said.request, None)
        theirs = sum(sum(held.values()) for name, held in book.held.items() if name != worker)
        ours = sum(own.values()) - own.get(said.request, 0)
        room, spent = True, dict[str, int]()
        for period, (limit, sum_of_own) in said.periods.items():
            sums = book.spent[period]
            sums[worker] = max(sum_of_own, sums.get(worker, 0))
            spent[period] = others = book.others(worker, period)
            if said.wanted >= 0 and limit >= 0 and others + sums[worker] + theirs + ours + said.wanted > limit:
                room = False
        if said.wanted >= 0 and room:
            own[said.request] = said.wanted
        self._forget(book, said.periods)
        return Shared(room, theirs, spent)

    def gone(self, worker: str) -> None:
        """What it had spent stays spent, what it held is held no more."""
        for book in self._books.values():
            book.held.pop(worker, None)
            for period, sums in book.spent.items():
                book.before[period] = book.before.get(period, 0) + sums.pop(worker, 0)

    def _forget(self, book: _Book, periods: Mapping[str, object]) -> None:
        """Of days and months, only as many as anybody settles in: names of periods are in the order of time."""
        for length in {len(period) for period in periods}:
            names = sorted(name for name in {*book.spent, *book.before} if len(name) == length)
            for name in names[:-4]:
                book.spent.pop(name, None)
                book.before.pop(name, None)
