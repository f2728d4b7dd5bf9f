from core.reload_history import Reload, ReloadHistory


def test_a_failed_reload_leaves_what_serves_in_its_place() -> None:
    now = [100]
    history = ReloadHistory(lambda: now[0])
    history.add("started")
    now[0] = 200
    history.add("swapped", 12.3456)
    assert (history.since_ms, history.last) == (200, Reload(200, "swapped", 12.35))
    now[0] = 300
    history.add("failed", 1.0)
    assert (history.started_ms, history.since_ms, history.last) == (100, 200, Reload(300, "failed", 1.0))


def test_a_failed_change_that_was_taken_back_is_over() -> None:
    history = ReloadHistory(lambda: 100)
    history.add("swapped", 2.0)
    history.add("failed", 1.0)
    history.mended()
    assert history.last == Reload(100, "swapped", 2.0)
