import resource

from core.metrics.process import Process


def test_this_process_is_measured() -> None:
    read = Process().read()
    assert read["process_cpu_seconds"][0][1][0] > 0
    assert 0 < read["process_open_fds"][0][1][0] <= read["process_max_fds"][0][1][0]
    assert read["process_max_fds"] == [((), (float(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),))]
    assert 1 << 20 < read["process_resident_memory_bytes"][0][1][0] < read["process_virtual_memory_bytes"][0][1][0]
