"""What is counted, and how it is shown: the names are `core.telemetry`'s."""

from core.metrics.metrics import Metrics

__all__ = ["Metrics"]
