"""What a legal stream is, as a table.

Two rules. First: an event that the table does not list for the current state ends the stream with an error; nothing is
reordered or repaired here. Second: nobody else decides what is legal; translators, tests and the guard at run time ask
this table.

    START ──message_start──▶ OPEN ──block_start──▶ BLOCK ──block_stop──▶ OPEN
                             OPEN ──message_delta──▶ ENDING ──message_stop──▶ DONE
    every state but DONE: ping stays, error ──▶ FAILED

Source: Anthropic's documentation, "Streaming messages": one block is open at a time, indices are contiguous, one or
more message_delta, ping at any time. The neutral stream has exactly one message_delta: `Grammar.check` sees to that.
"""

from collections.abc import Mapping
from types import MappingProxyType

from core.messages import (
    BlockDelta,
    BlockStart,
    BlockStop,
    MessageDelta,
    MessageStart,
    MessageStop,
    Ping,
    StreamError,
    StreamEvent,
)

START, OPEN, BLOCK, ENDING, DONE, FAILED = "START", "OPEN", "BLOCK", "ENDING", "DONE", "FAILED"

#: state -> event kind -> next state. What is not listed is illegal.
TABLE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        START: {"ping": START, "message_start": OPEN, "error": FAILED},
        OPEN: {"ping": OPEN, "block_start": BLOCK, "message_delta": ENDING, "error": FAILED},
        BLOCK: {"ping": BLOCK, "block_delta": BLOCK, "block_stop": OPEN, "error": FAILED},
        ENDING: {"ping": ENDING, "message_delta": ENDING, "message_stop": DONE, "error": FAILED},
        DONE: {},
        FAILED: {},
    }
)

KINDS: Mapping[type, str] = MappingProxyType(
    {
        MessageStart: "message_start",
        BlockStart: "block_start",
        BlockDelta: "block_delta",
        BlockStop: "block_stop",
        MessageDelta: "message_delta",
        MessageStop: "message_stop",
        Ping: "ping",
        StreamError: "error",
    }
)

#: Block type -> kinds of its deltas. A type that is not listed is not ours to judge.
DELTAS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "text": frozenset({"text"}),
        "thinking": frozenset({"thinking", "signature"}),
        "redacted_thinking": frozenset(),
        "tool_use": frozenset({"input_json"}),
        "server_tool_use": frozenset({"input_json"}),
        "mcp_tool_use": frozenset({"input_json"}),
    }
)


class GrammarViolation(Exception):
    """The stream is not legal. `state` and `event` say where; the message says both and what was expected."""

    def __init__(self, state: str, event: str, why: str = "") -> None:
        legal = ", ".join(TABLE[state]) or "nothing"
        super().__init__(f"{event} in state {state}: " + (why or f"expected {legal}"))
        self.state = state
        self.event = event


class Order:
    """The table run over event kinds alone: what the guard of a passed-through stream can afford."""

    __slots__ = ("_row", "state")

    def __init__(self) -> None:
        self.state = START
        self._row = TABLE[START]

    def step(self, kind: str) -> None:
        """Take one event; GrammarViolation if the table does not allow it here."""
        following = self._row.get(kind)
        if following is None:
            raise GrammarViolation(self.state, kind)
        if following is not self.state:
            self.state = following
            self._row = TABLE[following]


class Grammar:
    """The table, and what a table cannot say: indices, delta kinds, and that stop_reason agrees with the blocks."""

    def __init__(self) -> None:
        self._order = Order()
        self._blocks = 0
        self._block_type = ""
        self._tool_used = False

    @property
    def state(self) -> str:
        return self._order.state

    def check(self, event: StreamEvent) -> None:
        """Take one neutral event; GrammarViolation says state, event and what is wrong."""
        kind = KINDS[type(event)]
        before = self._order.state
        self._order.step(kind)
        why = self._wrong(event, before)
        if why:
            raise GrammarViolation(before, kind, why)

    def _wrong(self, event: StreamEvent, before: str) -> str:
        """What is wrong beyond the order; empty if nothing is."""
        match event:
            case BlockDelta(index=index, kind=kind):
                allowed = DELTAS.get(self._block_type)
                if allowed is not None and kind not in allowed:
                    return f"a {kind} delta in a {self._block_type} block"
                return self._wrong_index(index, self._blocks - 1)
            case BlockStart(index=index, block=block):
                self._blocks += 1
                self._block_type = block.type
                self._tool_used |= block.type == "tool_use"
                return self._wrong_index(index, self._blocks - 1)
            case BlockStop(index=index):
                return self._wrong_index(index, self._blocks - 1)
            case MessageDelta(stop_reason=reason):
                return "a second message_delta" if before == ENDING else self._wrong_stop(reason)
        return ""

    @staticmethod
    def _wrong_index(index: int, expected: int) -> str:
        return "" if index == expected else f"index {index} where {expected} is due"

    def _wrong_stop(self, reason: str) -> str:
        # A call may also be cut by max_tokens or a refusal; but a turn that ended by itself with a call waits for it.
        if reason == "tool_use" and not self._tool_used:
            return "stop_reason tool_use without a tool_use block"
        if reason == "end_turn" and self._tool_used:
            return "stop_reason end_turn after a tool_use block"
        return ""


def diagram() -> str:
    """The table as text for the documentation: one line a transition, states in the table's order."""
    width = max(map(len, TABLE))
    lines = []
    for state, row in TABLE.items():
        if not row:
            lines.append(f"{state:<{width}}  (end)")
        lines += [f"{state:<{width}}  {kind:<13} -> {following}" for kind, following in row.items()]
    return "\n".join(lines)
