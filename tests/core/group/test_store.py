import msgspec

from core.answer_cache import Kept
from core.group.messages import Find, Keep, Look, Ping, Room, Settle, Share, Spent, Take
from core.group.store import Store
from core.limits import Ask, Said, Taken
from core.messages import Usage

ONE = (Ask("key", "laptop", "concurrent", 1, 1, "limits"), Ask("key", "laptop", "tokens", 100, 60, "limits"))
KEPT = Kept(b"an answer", Usage(output=3))


def take(store: Store, worker: str, lease: str) -> Taken:
    answer = store.asked(worker, Take(1, ONE, lease))
    assert answer is not None
    return msgspec.msgpack.decode(answer, type=Taken)


def test_the_last_unit_is_one_workers_and_comes_back_when_it_is_settled_or_gone() -> None:
    store = Store(lambda: 0)
    for how in ("settled", "gone", "abandoned"):
        assert not take(store, "0.0", "a").refused
        assert take(store, "1.0", "a").refused
        assert store.asked("1.0", Settle("a", None)) is None  # its own lease of that name, which it never had
        assert take(store, "1.0", "b").refused
        if how == "gone":
            store.gone("0.0")
        else:
            store.asked("0.0", Settle("a", (1, 0) if how == "settled" else None))
        assert store.empty
        store = Store(lambda: 0)


def test_who_is_gone_has_used_what_it_reserved() -> None:
    store = Store(lambda: 0)
    take(store, "0.0", "a")
    store.gone("0.0")
    answer = store.asked("1.0", Look(2, ONE))
    assert answer is not None
    assert [said.left for said in msgspec.msgpack.decode(answer, type=list[Said])] == [1, 40]


def test_answers_have_the_room_that_they_are_given() -> None:
    store = Store(lambda: 0, lambda: 0.0)
    size = store.asked("0.0", Keep(1, "key", KEPT, 10.0))
    assert size is not None
    assert msgspec.msgpack.decode(size) > len(KEPT.body)
    assert store.asked("1.0", Find(2, "key")) == msgspec.msgpack.encode(KEPT)
    assert store.asked("1.0", Room(0)) is None
    assert store.asked("1.0", Find(3, "key")) == msgspec.msgpack.encode(None)
    assert store.asked("1.0", Ping(4)) is not None


def test_budgets_are_those_of_the_books() -> None:
    store = Store()
    assert store.asked("0.0", Spent({"ci": {"2026-11": 7}})) is None
    answer = store.asked("0.0", Share(1, "ci", {"2026-11": (-1, 0)}, "", -1, None))
    assert answer is not None
    assert msgspec.msgpack.decode(answer) == [True, 0, {"2026-11": 7}]
