"""How much is tried: `short` in each run of the CI, `full` for a release."""

from typing import Final

from msgspec import Struct


class Profile(Struct, frozen=True):
    """Numbers of attempts. `every` takes each n-th vector and bomb; `rounds` have a baseline each."""

    every: int
    rounds: int
    kills: int
    file_operations: int
    answers: int
    answers_over_http: int
    calls: int
    traps: int


PROFILES: Final = {
    "short": Profile(10, 5, 50, 100, 5_000, 500, 5_000, 1_000),
    "full": Profile(1, 5, 1_000, 2_000, 100_000, 10_000, 100_000, 20_000),
}
