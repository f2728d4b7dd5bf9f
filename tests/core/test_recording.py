from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from facts import features, snapshot
from test_records import exchange, ids

from core.exchange import Exchange, Inputs
from core.recording import Recording, file_of, snapshots_of
from core.schema_state import RecordSettings


def recording(folder: Path) -> tuple[Recording, Counter[str]]:
    counts: Counter[str] = Counter()

    def counted(outcome: str, count: int) -> None:
        counts[outcome] += count

    return Recording(folder, lambda *_: None, counted), counts


@pytest.mark.parametrize(
    ("settings", "file"),
    [({}, "records.db"), ({"file": "/var/lib/x.db"}, "/var/lib/x.db"), ({"store": "none", "file": "/x.db"}, None)],
)
def test_where_records_are(settings: dict[str, Any], file: str | None) -> None:
    assert file_of(RecordSettings(**settings), Path("state")) == (file and Path("state") / file)


def test_a_new_file_follows_the_old_one_and_nothing_is_lost(tmp_path: Path) -> None:
    kept, counts = recording(tmp_path)
    assert kept.health() == "off"
    kept.write(exchange("req_0"), snapshot(), 0.1)  # nowhere
    kept.use(RecordSettings())
    kept.write(exchange("req_1"), snapshot(), 0.1)
    kept.use(RecordSettings())
    kept.write(exchange("req_2"), snapshot(), 0.1)
    first = kept._recorder
    kept.use(RecordSettings(file=tmp_path / "other.db"))
    kept.write(exchange("req_3"), snapshot(), 0.1)
    assert kept.health() == "ok"
    kept.close()
    assert first is not None
    assert first.join(10)
    assert (ids(tmp_path / "records.db"), ids(tmp_path / "other.db")) == (["req_1", "req_2"], ["req_3"])
    assert counts == {"written": 3}


def test_none_records_nothing(tmp_path: Path) -> None:
    kept, counts = recording(tmp_path)
    kept.use(RecordSettings(store="none"))
    kept.write(Exchange("req_1", "/v1/messages", "anthropic"), snapshot(), 0.1)
    kept.close()
    assert (kept.health(), list(tmp_path.iterdir()), counts) == ("off", [], {})


def test_the_snapshots_of_decisions_on_record_are_known(tmp_path: Path) -> None:
    kept, _ = recording(tmp_path)
    settings = RecordSettings()
    assert snapshots_of(settings, tmp_path) == frozenset()
    kept.use(settings)
    for name in ("req_1", "req_2"):
        done = exchange(name)
        done.inputs, done.snapshot = Inputs(features()), f"{name}-digest"
        kept.write(done, snapshot(), 0.1)
    kept.close()
    assert snapshots_of(settings, tmp_path) == frozenset({"req_1-digest", "req_2-digest"})
    assert snapshots_of(RecordSettings(decisions=False), tmp_path) == frozenset()
    (tmp_path / "records.db").write_bytes(b"no database" * 100)
    assert snapshots_of(settings, tmp_path) is None
