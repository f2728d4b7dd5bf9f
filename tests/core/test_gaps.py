from core.gaps import Gaps


def test_there_is_no_gap_before_the_first_chunk() -> None:
    gaps = Gaps()
    gaps.content(30.0)
    assert (sum(gaps.counts), gaps.total_s) == (0, 0)


def test_gaps_are_sorted_by_their_length() -> None:
    gaps = Gaps()
    for waited in (1.0, 0.01, 0.0101, 500.0):
        gaps.content(waited)
    assert (gaps.counts[0], gaps.counts[1], gaps.counts[-1], sum(gaps.counts)) == (1, 1, 1, 3)
    assert gaps.total_s == 0.01 + 0.0101 + 500
