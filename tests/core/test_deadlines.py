import pytest

from core.deadlines import LINGER_S, Phase, body_deadline, overdue
from core.schema import ServerSettings

CLOCKS = ServerSettings(header_s=10, idle_s=20, write_s=30)


@pytest.mark.parametrize(
    ("phase", "age", "stalled", "reason"),
    [
        (Phase.HEAD, 9.9, None, ""),
        (Phase.HEAD, 10.0, None, "header"),
        (Phase.BODY, 1e6, None, ""),
        (Phase.ANSWERING, 1e6, None, ""),
        (Phase.ANSWERING, 1e6, 29.9, ""),
        (Phase.ANSWERING, 31.0, 30.0, "write"),
        (Phase.IDLE, 19.9, None, ""),
        (Phase.IDLE, 20.0, None, "idle"),
        (Phase.IDLE, 25.0, 5.0, ""),  # the end of an answer is still on its way
        (Phase.CLOSING, LINGER_S - 0.1, None, ""),
        (Phase.CLOSING, LINGER_S, None, "linger"),
        (Phase.CLOSING, LINGER_S, 0.0, ""),
        (Phase.CLOSING, 40.0, 30.0, "write"),
    ],
)
def test_why_a_connection_is_ended(phase: Phase, age: float, stalled: float | None, reason: str) -> None:
    assert overdue(phase, age, stalled, CLOCKS) == reason


def test_a_body_gains_time_with_what_has_come() -> None:
    assert body_deadline(100.0, 0, grace_s=30, rate=1000) == 130.0
    assert body_deadline(100.0, 5000, grace_s=30, rate=1000) == 135.0
