from core.reload_history import Reload, ReloadHistory


def test_a_failed_reload_leaves_what_serves_in_its_place() -> None:
    now, heard = [100], []
    history = ReloadHistory(lambda: now[0])
    history.listeners.append(lambda: heard.append(history.last))
    history.add("started")
    now[0] = 200
    history.add("swapped", 12.3456)
    now[0] = 300
    history.add("failed", 1.0)
    assert (history.started_ms, history.since_ms) == (100, 200)
    assert heard == [Reload(100, "started"), Reload(200, "swapped", 12.35), Reload(300, "failed", 1.0)]
