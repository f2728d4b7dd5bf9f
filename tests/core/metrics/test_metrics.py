from core.metrics import Metrics


def test_the_pools_are_asked_when_metrics_are_read() -> None:
    metrics, counts = Metrics(), [1, 2, 3]
    metrics.pools(lambda: counts)
    counts[0] = 7
    text = metrics.exposition().decode()
    for state, count in (("acquired", 7), ("idle", 2), ("waiting", 3)):
        assert f'terraphim_upstream_connections{{state="{state}"}} {count}.0' in text
