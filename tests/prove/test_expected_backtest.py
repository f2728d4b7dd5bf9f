"""The stored backtest is compared with what comes out."""

from pathlib import Path

import msgspec
import pytest

from prove import expected_backtest
from prove.expected_backtest import CANDIDATES, EXPECTED, changes, results


def test_what_differs_from_what_is_stored_is_shown() -> None:
    stored = msgspec.json.decode(EXPECTED.read_bytes())
    assert set(stored) == set(CANDIDATES)
    assert changes(stored) == []
    stored["thrift.wat"]["flips"] += 1
    assert any(line.startswith('+  "flips"') for line in changes(stored))


def test_a_candidate_that_cannot_be_tried_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expected_backtest, "CANDIDATES", {"broken.wat": "(module"})
    with pytest.raises(RuntimeError, match=r"broken\.wat: exit"):
        results(tmp_path, 5)
