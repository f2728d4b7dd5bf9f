"""Generated traffic decided in this process, as a proxy would decide it: no socket, no provider. Pure, but for rules.

Each request is decoded, counted and decided; its session goes on by what an answer of the decided target would have
used, as its provider's prompt cache would tell it.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Final, NamedTuple

from core import gathering, prices, session
from core.call import Call
from core.decision_record import Record, record_of
from core.exchange import Attempt, Decision, Exchange, Inputs, SessionState, Target, TargetState
from core.lab.drivers import Answers, Calls, CannotRun, drive
from core.lab.prompt_caches import PromptCaches, counted
from core.lab.traffic import Sent
from core.lab.traffic.claude_wire import ANSWER_MS, TOKEN_MS
from core.lab.traffic.sent import DIALECTS
from core.routing.decide import decide
from core.routing.snapshot import Snapshot
from core.tokens import TokenCounter
from wasm_host import frames

#: Conversations that are remembered, the latest last. Far more than go on at a time.
SESSIONS: Final = 10_000


class _Nobody:
    """Where no rules can be run."""

    def run(self, ask: frames.Ask) -> list[frames.Result]:
        raise CannotRun(f"{len(ask.calls)} rules must be asked, and nobody was named who runs them")


class Surroundings(NamedTuple):
    """What decisions depend on beside requests and their sessions: see `Inputs`, and the proxy's offset from UTC."""

    states: Mapping[str, TargetState] = {}
    factors: Mapping[str, float] = {}
    tz_offset_min: int = 0


class Player:
    """Plays requests in the order of their times. `calls` runs the snapshot's rules, and has loaded them; `around` is
    how things are for the next request.
    """

    def __init__(self, snapshot: Snapshot, calls: Calls | None = None, counter: TokenCounter | None = None) -> None:
        self._snapshot = snapshot
        self._calls = calls or _Nobody()
        self._counter = counter or TokenCounter()
        self._sessions: OrderedDict[tuple[str, str], SessionState] = OrderedDict()
        self._caches = PromptCaches()
        self._number = 0
        self.around = Surroundings()

    def play(self, sent: Sent) -> Exchange:
        """The request's way to its end. BadRequest if its body cannot be read, CannotRun if a rule cannot be run."""
        call, (states, factors, _) = self._call(sent), self.around
        exchange = call.exchange
        call.request = call.client.decode_request(sent.body)
        facts = gathering.facts(call, self._counter.count(call.request))
        name = (facts.client_key, session.key_of(facts))
        call.session = self._sessions.get(name, SessionState())
        call.features = gathering.completed(call, facts, factors)
        exchange.inputs = Inputs(call.features, call.session, states, factors)
        answers = Answers(self._calls, there=self._snapshot.rules.wants)
        deciding = decide(self._snapshot, call.features, call.session, states, factors)
        exchange.decision = drive(deciding, answers)
        if exchange.decision.refusal is not None:
            exchange.status, exchange.error = exchange.decision.refusal.status, "refused"
            return exchange
        self._answered(call, sent, exchange.decision.candidates[0].target, exchange.decision, name)
        return exchange

    def _call(self, sent: Sent) -> Call:
        self._number += 1
        name = "req_" + sha256(f"{self._number} {sent.session} {sent.at_ms}".encode()).hexdigest()[:32]
        exchange = Exchange(name, sent.endpoint, DIALECTS[sent.endpoint], self._snapshot.digest, sent.client_key)
        exchange.began_ms = sent.at_ms
        return Call(
            exchange=exchange,
            snapshot=self._snapshot,
            keys={},
            headers=sent.headers,
            query="",
            now_ms=sent.at_ms,
            tz_offset_min=self.around.tz_offset_min,
        )

    def _answered(self, call: Call, sent: Sent, target: Target, decision: Decision, name: tuple[str, str]) -> None:
        """The target has answered, and its provider has said what that used."""
        exchange, price = call.exchange, self._snapshot.card(target).price
        estimated = self._caches.ask(target, price, sent.prompt, sent.output, sent.at_ms)
        exchange.usage = counted(estimated, decision.candidates[0].tokens)
        exchange.answered_by, exchange.status, exchange.whole = target, 200, True
        exchange.stop_reason = "end_turn"
        exchange.attempts.append(Attempt(target, "ok", duration_ms(sent)))
        exchange.cost = prices.cost(exchange.bill(), self._snapshot.card)
        state = session.after(call.session, call.features, decision, target, exchange.usage, price)
        if state is not None:
            self._sessions[name] = state
            self._sessions.move_to_end(name)
            if len(self._sessions) > SESSIONS:
                self._sessions.popitem(last=False)


def duration_ms(sent: Sent) -> int:
    """How long its answer takes."""
    return ANSWER_MS + TOKEN_MS * sent.output


def records(traffic: Iterable[Sent], player: Player, snapshot: Snapshot, *, capture: bool = False) -> Iterator[Record]:
    """A record of each request. `capture`: with the texts that rules of the snapshot were granted."""
    for sent in traffic:
        record = record_of(player.play(sent), snapshot, duration_ms(sent), capture=capture)
        if record is not None:
            yield record
