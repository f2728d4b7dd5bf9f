"""What is wrong now with the files of the operator, and what is wrong no more: for the log, a metric and `/health`."""

from collections.abc import Callable, Iterable
from typing import Any

from core.errors import Problem


class Present:
    """`say` takes log lines, `count` how many problems there are."""

    def __init__(self, say: Callable[[dict[str, object], str], None], count: Callable[[int], None]) -> None:
        self._say, self._count = say, count
        self._standing: tuple[Problem, ...] = ()
        self._refused: tuple[Problem, ...] = ()

    @property
    def all(self) -> tuple[Problem, ...]:
        """Why a change was refused, and what is wrong with what serves."""
        return (*self._refused, *self._standing)

    def refused(self, problems: Iterable[Problem]) -> None:
        """A change cannot be used; what served before does still, with its own problems."""
        before, self._refused = self.all, tuple(problems)
        for problem in self._refused:
            self._say({"event": "reload_failed", "problem": str(problem)}, "error")
        self._gone(before)

    def serves(self, problems: Iterable[Problem]) -> None:
        """What is in the files serves, with these."""
        before, self._refused, self._standing = self.all, (), tuple(problems)
        for problem in self._standing:
            self._say({"event": "problem", "problem": str(problem)}, "warning")
        self._gone(before)

    def _gone(self, before: tuple[Problem, ...]) -> None:
        for problem in dict.fromkeys(before):
            if problem not in self.all:
                self._say({"event": "problem_gone", "problem": str(problem)}, "info")
        self._count(len(self.all))

    def listing(self) -> list[dict[str, Any]]:
        """As JSON values."""
        return [
            {"file": each.path, "line": each.line, "message": each.message, "hint": each.hint, "refused": refused}
            for problems, refused in ((self._refused, True), (self._standing, False))
            for each in problems
        ]
