from core.group.messages import Tell, Told
from core.group.notes import Notes


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_last_word_counts_as_long_as_was_said() -> None:
    time = Time()
    notes = Notes(time)
    notes.take(Tell("a", b"one", b"first", 10))
    notes.take(Tell("a", b"two", b"second", 5))
    notes.take(Tell("b", b"one", b"third", 20))
    notes.take(Tell("a", b"one", b"last", 10))
    time.now += 5
    assert notes.all() == [Told("b", b"one", b"third", 15), Told("a", b"one", b"last", 5)]
    time.now += 5
    assert notes.all() == [Told("b", b"one", b"third", 10)]


def test_there_is_room_for_so_many_and_the_oldest_word_gives_way() -> None:
    notes = Notes(Time(), most=2)
    for number in (1, 2, 1, 3):
        notes.take(Tell("a", b"%d" % number, b"", 10))
    assert [told.key for told in notes.all()] == [b"1", b"3"]
