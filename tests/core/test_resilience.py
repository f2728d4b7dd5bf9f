import pytest

from core.errors import UpstreamFailed
from core.resilience import TABLE, Action, after, kind


@pytest.mark.parametrize(
    ("status", "stage", "row"),
    [
        (400, "answered", "final"),
        (413, "answered", "final"),
        (401, "answered", "not_here"),
        (404, "answered", "not_here"),
        (429, "answered", "later"),
        (500, "answered", "server"),
        (529, "answered", "server"),
        (502, "not_sent", "broken"),
        (502, "cut", "broken"),
        (502, "unknown", "broken"),
        (504, "unknown", "silent"),
        (504, "cut", "silent"),
        (504, "answered", "server"),
    ],
)
def test_kinds(status: int, stage: str, row: str) -> None:
    assert kind(UpstreamFailed(status, "x", stage=stage)) == row


@pytest.mark.parametrize(
    ("status", "stage", "retries", "more", "action"),
    [
        (400, "answered", 1, True, Action.STOP),
        (401, "answered", 1, True, Action.NEXT),
        (401, "answered", 1, False, Action.STOP),
        (429, "answered", 1, False, Action.STOP),
        (529, "answered", 1, True, Action.NEXT),
        (529, "answered", 1, False, Action.RETRY),
        (529, "answered", 0, False, Action.STOP),
        (502, "not_sent", 1, True, Action.RETRY),
        (502, "not_sent", 0, True, Action.NEXT),
        (502, "cut", 0, False, Action.STOP),
        (504, "unknown", 1, True, Action.NEXT),
        (504, "unknown", 1, False, Action.STOP),
    ],
)
def test_the_next_move(status: int, stage: str, retries: int, more: bool, action: Action) -> None:
    assert after(UpstreamFailed(status, "x", stage=stage), retries_left=retries, more_candidates=more) is action


def test_every_row_ends_in_telling_the_client() -> None:
    assert all(actions[-1] is Action.STOP for actions in TABLE.values())
