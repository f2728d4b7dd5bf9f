"""What Prometheus' own client knows of this process: CPU time, memory, descriptors; nothing where there is no /proc."""

from prometheus_client import CollectorRegistry, ProcessCollector

from core import telemetry

_METRICS = (
    telemetry.PROCESS_CPU,
    telemetry.PROCESS_RESIDENT,
    telemetry.PROCESS_VIRTUAL,
    telemetry.PROCESS_START,
    telemetry.PROCESS_FDS,
    telemetry.PROCESS_MAX_FDS,
)


class Process:
    """This process."""

    def __init__(self) -> None:
        self._collector = ProcessCollector(registry=CollectorRegistry())

    def read(self) -> dict[str, list[tuple[tuple[str, ...], tuple[float, ...]]]]:
        """By metric, as `Instruments.read`."""
        found = {family.name: family.samples for family in self._collector.collect()}
        named = {metric.name: found.get(metric.name, []) for metric in _METRICS}
        return {name: [((), (sample.value,)) for sample in samples] for name, samples in named.items()}
