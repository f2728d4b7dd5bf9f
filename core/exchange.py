"""What travels with a request: its features, the decision, and what happened."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct

from core.gaps import Gaps
from core.messages import Usage
from core.trace import Trace
from wasm_host.answer import Outcome

#: No tokens.
NOTHING = Usage()


class Target(NamedTuple):
    """A `provider,model`."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider},{self.model}"

    @classmethod
    @lru_cache(maxsize=4096)  # configured names, parsed for every request
    def parse(cls, text: str) -> "Target":
        """Split at the first comma; ValueError if there is none or a side is empty."""
        provider, comma, model = (part.strip() for part in text.partition(","))
        if not (provider and comma and model):
            raise ValueError(f"{text!r} is not 'provider,model'")
        return cls(provider, model)


@dataclass(frozen=True)
class ProviderKey:
    """A provider's key. `position` is its place in the configuration, from 1: what logs may say of it."""

    position: int
    secret: str = field(repr=False)


class Features(Struct, frozen=True, kw_only=True):
    """All that a decision may depend on. Counts are tokens; `images` counts the whole history.

    `effort` is none | low | medium | high | xhigh | max; `request_class` is main | subagent | auxiliary | compaction
    or empty; `agent` is the client program (`claude-code`, `codex`, …).
    """

    dialect: str
    model: str
    stream: bool
    max_tokens: int | None
    token_count: int
    message_count: int
    tools: tuple[str, ...]
    last_user: str
    thinking: bool
    effort: str
    web_search: bool
    images: int
    image_in_last_turn: bool
    request_class: str
    background: bool
    plan_mode: bool
    subagent: bool
    subagent_target: str
    session_id: str
    client_key: str
    agent: str
    #: Targets that the client's key may ask, as globs over `provider,model`; all if there are none.
    allowed: tuple[str, ...] = ()
    #: Which of the session's conversations it belongs to: empty is the main one (`identity.thread_of`).
    thread: str = ""
    #: The model waits for what its tools gave: the latest turn holds tool results.
    tool_loop: bool = False
    #: A web search tool that the provider itself must run is on offer (not merely a function of that name).
    server_web_search: bool = False
    #: Nothing is left of the request without that search: no other tool is on offer, or it must be used.
    only_web_search: bool = False
    #: Types of other tools that only a provider of the client's dialect knows.
    provider_tools: tuple[str, ...] = ()
    #: Tokens as we counted them, and by what `token_count` is more of them: what was learned of the model that is
    #: expected to answer. 0: they are the same.
    counted: int = 0
    token_factor: float = 1.0
    #: The request's moment, so that rules can be replayed: Unix time, the proxy's offset from UTC, 32 bits of its id.
    now_ms: int = 0
    tz_offset_min: int = 0
    seed: int = 0
    #: Texts and headers that only rules with a grant see: `system`, `messages`, `headers`.
    granted: dict[str, Any] = {}


#: A number that a store may give back (ABI: integers below 2^53).
Natural = Annotated[int, Meta(ge=0, lt=2**53)]


class Warm(Struct, frozen=True, array_like=True):
    """A prompt cache that a session has filled: so many tokens of its beginning, last used then (Unix time)."""

    target: str
    tokens: Natural
    at_ms: Natural


class SessionState(Struct, frozen=True):
    """What is remembered of a conversation, read once when its request is decided.

    The first four are the ABI's: of the last answer, its target, its input and what of it the provider's cache holds.
    `home` is where pattern and default decisions stay; who stood in for it or looked at an image moves it not.
    `output_tokens` is a running mean of the answers' lengths, `warm` the caches, the latest last.
    """

    turns: Natural = 0
    last_target: str = ""
    last_input_tokens: Natural = 0
    cached_prefix_tokens: Natural = 0
    home: str = ""
    output_tokens: Natural = 0
    warm: tuple[Warm, ...] = ()

    def cached(self, target: str, now_ms: int, keep_s: float) -> int:
        """Tokens that the target's prompt cache still holds, if it keeps them for so many seconds.

        A time far ahead is of another clock, and says as little as one long past.
        """
        ages = ((warm.tokens, abs(now_ms - warm.at_ms)) for warm in self.warm if warm.target == target)
        return next((tokens for tokens, age in ages if age <= keep_s * 1000), 0)


class TargetState(Struct, frozen=True):
    """What a target's last requests say of it: whether it is asked like any other, and its median time to the first
    content of a stream, in milliseconds; None if there has been none.
    """

    healthy: bool = True
    p50_ms: int | None = None
    #: What the request's key may still spend, in micro-USD.
    budget_left: int | None = None


class Step(Struct, frozen=True):
    """One line of a decision's trace: the phase, what it looked at or found, and what came of it."""

    phase: str
    outcome: str
    detail: dict[str, Any]


class Found(Struct, frozen=True, omit_defaults=True):
    """A concept that the human's words name. `path` is its file in the taxonomy, `how` as in `ConceptMatch`, `score`
    0-1000; `spans` are start, end (characters of the whole text) and the pattern that stands there.
    """

    path: str
    concept: str
    how: str
    score: int
    priority: int
    spans: tuple[tuple[int, int, str], ...] = ()


class Candidate(Struct, frozen=True):
    """A target that may be asked, and what the gate changed for it.

    `thinking_mode` is the model card's, empty if unknown; `without` names parameters that the model refuses: effort,
    sampling.
    """

    target: Target
    max_tokens: int | None = None
    drop_thinking: bool = False
    unverified: tuple[str, ...] = ()
    thinking_mode: str = ""
    without: tuple[str, ...] = ()
    #: Tokens of the request, as this target counts them.
    tokens: int = 0
    #: Members beyond its dialect's own that the provider takes; its transformers say so.
    extensions: frozenset[str] = frozenset()
    #: The provider copies the API of its dialect's own vendor, at another address.
    copy: bool = False
    #: What is known of the model, for dialects whose requests depend on it: its context in tokens, whether it thinks.
    context_window: int | None = None
    thinks: bool | None = None


class Inputs(Struct, frozen=True):
    """All that a decision depends on beside its snapshot and its rules' answers.

    `states` is what is known of targets by name, `factors` what was learned of models' tokens (`calibration`).
    """

    features: Features
    session: SessionState = SessionState()
    states: Mapping[str, TargetState] = {}
    factors: Mapping[str, float] = {}


class Refusal(Struct, frozen=True):
    """Why nobody is asked: the HTTP status and a message for the client."""

    status: int
    message: str


class Decision(Struct, frozen=True):
    """Who should answer, and why. `reason` is a code; `score` is 0–1000, or None where it means nothing.

    A decision has candidates or a refusal. `asked` is what rules answered, in the order in which they were asked, and
    `matches` what patterns found, the best first; None if nobody looked. Both may carry the user's words.
    """

    phase: str
    reason: str
    candidates: tuple[Candidate, ...]
    snapshot: str
    score: int | None = None
    tags: dict[str, str] = {}
    scenarios: tuple[str, ...] = ()
    trace: tuple[Step, ...] = ()
    refusal: Refusal | None = None
    asked: tuple[Outcome, ...] = ()
    matches: tuple[Found, ...] | None = None

    @property
    def target(self) -> Target | None:
        return self.candidates[0].target if self.candidates else None


#: The outcome of an attempt that its client did not wait for.
CANCELLED = "cancelled"


class Attempt(Struct, frozen=True):
    """One try at one target. `outcome` is ok, a status, a stage of `UpstreamFailed`, refused or cancelled.

    `key` is the position of the provider's key, 0 if it has none.
    """

    target: Target
    outcome: str
    ms: float
    key: int = 0


class Spent(NamedTuple):
    """What one target used for a request. `estimated`: its provider did not say; this is the least that it can be."""

    target: Target
    usage: Usage
    estimated: bool = False


class Cost(NamedTuple):
    """Micro-USD of all that has a price; `unpriced`: a part has none, so that nobody knows the sum."""

    micros: int
    unpriced: bool = False


class Exchange(Struct):
    """The one value that travels from the edge to the log line. `began_ms` is Unix time."""

    request_id: str
    endpoint: str
    dialect: str
    snapshot: str = ""
    client_key: str = ""
    decision: Decision | None = None
    answered_by: Target | None = None
    attempts: list[Attempt] = []
    #: Targets that were not asked although it was their turn, and why (`standing.Closed`).
    passed_over: list[tuple[Target, str]] = []
    #: Of the attempt that answered, as far as it got, and of those that failed after they had said what they used.
    usage: Usage = NOTHING
    lost: Usage = NOTHING
    #: What failed attempts and looks at images used, each at its own target; looks are a part of `usage` or `lost` too.
    spent: list[Spent] = []
    #: Pieces of content of an answer: it has at least so many tokens.
    contents: int = 0
    #: How long its provider was waited for between them, if it was streamed.
    gaps: Gaps | None = None
    cost: Cost | None = None
    #: The provider's terminal marker was passed on.
    whole: bool = False
    #: Why the answer ended, in Anthropic's words; empty as long as it is not known.
    stop_reason: str = ""
    simulated: bool = False
    #: hit, miss or bypass where answers of the decided target are kept; after a hit `usage` is empty: nobody was asked.
    cache: str = ""
    status: int = 0
    error: str = ""
    began_ms: int = 0
    #: When it arrived, by the monotonic clock (s), and how many ms later it was decided and its first content was sent.
    arrived: float = 0.0
    decided_ms: float | None = None
    first_ms: float | None = None
    #: Its place in a trace, if it is traced.
    trace: Trace | None = None
    #: What the decision was made from.
    inputs: Inputs | None = None
    #: Of the present attempt's usage, what its looks at images used.
    _looks: Usage = NOTHING
    _closed_bill: list[Spent] | None = None

    @property
    def has_content(self) -> bool:
        """What was sent by now holds content: opening frames have none. What nobody was asked for is all content."""
        return self.contents > 0 or self.simulated or self.cache == "hit"

    def ms_since_arrival(self, now: float) -> float:
        """Milliseconds from the request's arrival to `now`, by the monotonic clock."""
        return (now - self.arrived) * 1000

    def looked(self, target: Target, usage: Usage) -> None:
        """`target` has looked at an image for the present attempt."""
        self.spent.append(Spent(target, usage))
        self._looks = self._looks.plus(usage)

    def lose(self, target: Target, usage: Usage) -> None:
        """The present attempt has failed after it said what it used."""
        self.spent.append(Spent(target, usage.minus(self._looks)))
        self.lost, self._looks = self.lost.plus(usage), NOTHING

    def bill(self) -> list[Spent]:
        """What the request used, at each target that used it; what was simulated used nothing."""
        if self._closed_bill is not None:
            return self._closed_bill
        last = self.attempts[-1] if self.attempts else None
        if last is None or self.simulated or (last.target != self.answered_by and last.outcome != CANCELLED):
            return self.spent
        own = self.own
        estimated = own == NOTHING
        return [*self.spent, Spent(last.target, self._least() if estimated else own, estimated)]

    def close_bill(self) -> list[Spent]:
        """The same, when the request is over and nothing of it changes any more: several ask then."""
        self._closed_bill = bill = self.bill()
        return bill

    @property
    def own(self) -> Usage:
        """What the present attempt's own target used: all but its looks at images."""
        return self.usage if self._looks is NOTHING else self.usage.minus(self._looks)

    def _least(self) -> Usage:
        """What an attempt used whose provider did not say: the request, as we count it, and what came of an answer."""
        who, candidates = self.attempts[-1].target, self.decision.candidates if self.decision else ()
        sent = next((candidate.tokens for candidate in candidates if candidate.target == who), 0)
        return Usage(input=sent, output=self.contents)
