"""What a transformer is: a name that a provider or a model lists, and what it does to the way out and back.

    request   the provider's body, as bytes of its own dialect, before it is sent
    answer    a `Change` of the neutral events; a whole answer takes the same way
    headers   the provider's headers

All pure. A transformer that does nothing to a request leaves its bytes alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from msgspec import Struct

from core.dialects.base import Change
from core.exchange import Candidate
from core.messages import Request
from core.transformers.body import Body

#: Dialects of providers. A transformer says on which of them it means anything.
ANTHROPIC, OPENAI, RESPONSES, GEMINI, OLLAMA = "anthropic", "openai", "openai-responses", "gemini", "ollama"
ALL = (ANTHROPIC, OPENAI, RESPONSES, GEMINI, OLLAMA)


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a transformer: each field is one. Those without a default must be given."""


class Facts(NamedTuple):
    """What a transformer may look at beside the body: the provider's dialect, the model, the client's request."""

    dialect: str
    request: Request
    candidate: Candidate

    @property
    def model(self) -> str:
        return self.candidate.target.model


_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Transformer:
    """One row of the table. `about` is its line in the list of transformers."""

    name: str
    about: str
    dialects: tuple[str, ...] = ALL
    #: None: any option, each of which is a member of the body.
    options: type[Options] | None = Options
    request: Callable[[Body, Any, Facts], None] | None = None
    answer: Callable[[Any, Facts], Change | None] | None = None
    headers: Callable[[Mapping[str, str], Any], dict[str, str]] | None = None
    #: Members beyond the dialect's own that its providers take for a model (`Candidate.extensions`).
    keeps: Callable[[str], frozenset[str]] = lambda _: _NOTHING
    #: What is wrong with these options on this dialect; empty if nothing is.
    wrong: Callable[[Any, str], str] | None = None

    @property
    def sides(self) -> tuple[str, ...]:
        """Which of `request`, `answer` and `headers` it touches."""
        return tuple(side for side in ("request", "answer", "headers") if getattr(self, side) is not None)
