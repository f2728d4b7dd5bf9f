import asyncio

from core.answer_cache import Kept
from core.messages import Usage
from core.state.cache_memory import OVERHEAD, MemoryAnswers


class World:
    """A store and its time."""

    def __init__(self, room: int = 10 * (OVERHEAD + 10)) -> None:
        self.now = 1000.0
        self.answers = MemoryAnswers(room, clock=lambda: self.now)

    def write(self, key: str, size: int = 10, ttl_s: float = 60) -> None:
        self.answers.write(key, Kept(b"a" * size, Usage()), ttl_s)

    def has(self, keys: str) -> str:
        return "".join(key for key in keys if asyncio.run(self.answers.read(key)) is not None)


def test_an_answer_is_there_until_its_time_is_over() -> None:
    world = World()
    world.write("a")
    world.now += 59.9
    assert world.has("ab") == "a"
    world.now += 0.1
    assert world.has("ab") == ""
    assert (world.answers.size, len(world.answers)) == (0, 0)


def test_writing_again_counts_once_and_begins_a_new_time() -> None:
    world = World()
    world.write("a", 100)
    world.now += 50
    world.write("a", 20)
    world.now += 50
    assert world.has("a") == "a"
    assert world.answers.size == 20 + OVERHEAD


def test_the_least_recently_used_goes_first() -> None:
    world = World(room=3 * (OVERHEAD + 10))
    for key in "abc":
        world.write(key)
    world.has("a")
    world.write("d")
    assert world.has("abcd") == "acd"
    world.write("e", 10 + OVERHEAD + 10)
    assert world.has("acde") == "de"


def test_an_answer_larger_than_the_room_takes_nobodys_place() -> None:
    world = World(room=3 * (OVERHEAD + 10))
    world.write("a")
    world.write("b", 4 * OVERHEAD)
    assert world.has("ab") == "a"
    world.write("a", 4 * OVERHEAD)
    assert world.has("ab") == ""
    assert world.answers.size == 0


def test_less_room_takes_effect_at_once() -> None:
    world = World()
    for key in "abc":
        world.write(key)
    world.answers.bound(2 * (OVERHEAD + 10))
    assert world.has("abc") == "bc"
    world.answers.bound(0)
    assert world.answers.size == 0
