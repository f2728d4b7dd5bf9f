"""A worker's place among the processes that serve one port, as it sees it.

It accepts from its own listener, and from those of others while they cannot. When its supervisor is gone it ends, as if
it had been told to: nobody would start it again, and nobody would know of it.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from itertools import count
from typing import Final, TypeVar

import msgspec

from core.group.line import Line, from_supervisor, welcomed
from core.group.messages import (
    Cover,
    Ping,
    Ready,
    Reload,
    Said,
    Serves,
    Stop,
    Tell,
    Told,
    ToSupervisor,
    ToWorker,
    Worker,
    Workers,
)
from core.state.redis_line import StoreDown

Answer = TypeVar("Answer")
#: So long the supervisor may take to answer, and so often somebody looks whether it did, in seconds.
PATIENCE_S: Final = 3.0
LOOK_S: Final = 0.1
#: With so many bytes that it has not taken, it is told nothing more for others.
UNSENT: Final = 8 * 1024 * 1024


class Member:
    """`descriptor` is the worker's end of the line. OSError or ValueError if nobody speaks at the other one."""

    def __init__(self, descriptor: int) -> None:
        self._own = socket.socket(fileno=descriptor)
        try:
            welcome = welcomed(self._own)
        except (OSError, ValueError):
            self._own.close()
            raise
        self.number, self.count, self.token = welcome.number, welcome.count, welcome.token
        self.turns = welcome.turns
        for each in (descriptor, welcome.turns, *welcome.listeners):  # they are for no child of this process
            os.set_inheritable(each, False)  # noqa: FBT003  # its own signature
        self.listeners: Sequence[socket.socket] = [socket.socket(fileno=each) for each in welcome.listeners]
        #: How all workers are, as the supervisor said last.
        self.workers: tuple[Worker, ...] = ()
        #: Called when it is told so; `stop` with whether at once.
        self.on_stop: Callable[[bool], None] = lambda _: None
        self.on_reload: Callable[[], None] = lambda: None
        self.on_cover: Callable[[Sequence[socket.socket]], None] = lambda _: None
        self._line: Line[ToWorker] = Line(from_supervisor, self._heard, self._alone)
        self._listening: dict[str, Callable[[bytes, bytes, float], None]] = {}
        self._numbers = count(1)
        #: What is asked and not answered yet: until when that is waited for (monotonic seconds), and who is told.
        self._asked: dict[int, tuple[float, Callable[[bytes | None], None]]] = {}
        self._looking: asyncio.TimerHandle | None = None
        #: The supervisor does not answer: nobody waits for it until it does.
        self.down = False

    @property
    def listener(self) -> socket.socket:
        """Its own."""
        return self.listeners[self.number]

    async def start(self) -> None:
        """Listen to the supervisor."""
        await self._line.connect(self._own)

    def ready(self) -> None:
        """This worker serves."""
        self._line.say(Ready())

    def serves(self, snapshot: str) -> None:
        """By this snapshot (its digest)."""
        self._line.say(Serves(snapshot))

    def health(self) -> dict[str, object]:
        """How the workers are, for `/health`; `lagging` do not serve by the snapshot that this one serves by."""
        own = next((each.snapshot for each in self.workers if each.number == self.number), "")
        return {
            "this": self.number,
            "count": self.count,
            "ready": sum(each.state == "ready" for each in self.workers),
            "restarts": sum(each.restarts for each in self.workers),
            "lagging": [each.number for each in self.workers if each.snapshot != own],
            "each": [
                {"worker": each.number, "process": each.process, "state": each.state, "restarts": each.restarts}
                for each in self.workers
            ],
        }

    def say(self, message: ToSupervisor) -> None:
        """What needs no answer, for the supervisor's store."""
        self._line.say(message)

    def all(self, topic: str, key: bytes, data: bytes, seconds: float) -> None:
        """Tell all other workers, and those that begin within so many seconds. Who is slow to listen is told less."""
        if self._line.unsent < UNSENT:
            self._line.say(Tell(topic, key, data, seconds))

    def listen(self, topic: str, heard: Callable[[bytes, bytes, float], None]) -> None:
        """`heard` is given what others tell all of this topic: key, data, and for how many seconds it counts."""
        self._listening[topic] = heard

    @property
    def unsent(self) -> int:
        """Bytes that the supervisor has not taken yet."""
        return self._line.unsent

    async def ask(self, question: Callable[[int], ToSupervisor], answer: "msgspec.msgpack.Decoder[Answer]") -> Answer:
        """What the supervisor's store says; StoreDown if it does not in time."""
        if self.down:
            raise StoreDown("left_alone")
        told: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def hear(data: bytes | None) -> None:
            if not told.done():
                if data is None:
                    told.set_exception(StoreDown("timeout"))
                else:
                    told.set_result(data)

        self.tell(question, hear)
        return answer.decode(await told)

    def tell(self, question: Callable[[int], ToSupervisor], told: Callable[[bytes | None], None]) -> None:
        """The same; `told` is called with the answer, or None if there is none in time."""
        number, loop = next(self._numbers), asyncio.get_running_loop()
        self._asked[number] = loop.time() + PATIENCE_S, told
        self._line.say(question(number))
        if self._looking is None:
            self._looking = loop.call_later(LOOK_S, self._look)

    def _look(self) -> None:
        """Whether something is late: then it is asked no more, but for whether it is there."""
        loop = asyncio.get_running_loop()
        late = [number for number, (until, _) in self._asked.items() if until <= loop.time()]
        self._looking = None
        for number in late:
            self._asked.pop(number)[1](None)
        self.down = self.down or bool(late)
        if self.down and not self._asked:
            self.tell(Ping, lambda _: None)
        elif self._asked:
            self._looking = loop.call_later(LOOK_S, self._look)

    def _said(self, number: int, answer: bytes) -> None:
        self.down = False
        if (asked := self._asked.pop(number, None)) is not None:
            asked[1](answer)

    def _heard(self, message: ToWorker) -> None:
        match message:
            case Said(number, answer):
                self._said(number, answer)
            case Told(topic, key, data, seconds):
                if (heard := self._listening.get(topic)) is not None:
                    heard(key, data, seconds)
            case Workers(each):
                self.workers = each
            case Stop(now):
                self.on_stop(now)
            case Reload():
                self.on_reload()
            case Cover(numbers):
                self.on_cover([self.listeners[number] for number in numbers])
            case _:
                pass

    def _alone(self) -> None:
        self.down = True
        for _, told in [self._asked.pop(number) for number in list(self._asked)]:
            told(None)
        self.on_stop(False)  # noqa: FBT003  # a callback
