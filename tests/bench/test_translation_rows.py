import pytest

from bench.row import Row
from bench.translation import EVENTS, rows, stream
from core.dialects import CLIENTS, PROVIDERS


@pytest.mark.parametrize("dialect", list(PROVIDERS))
def test_a_stream_has_so_many_events(dialect: str) -> None:
    assert len(stream(dialect)) == EVENTS


def test_every_pair_has_a_row_with_its_bound() -> None:
    found: list[Row] = list(rows(1))
    assert len(found) == len(PROVIDERS) * len(CLIENTS)
    assert all(row.bound == (1.0 if len(set(row.name.split(" to "))) == 1 else 5.0) for row in found)
    assert all(row.value > 0 for row in found)
