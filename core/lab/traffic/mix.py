"""How often what happens in generated traffic. The defaults are a team that works with coding agents all day."""

from msgspec import Struct


class Mix(Struct, frozen=True, kw_only=True):
    """Shares are of 1. Sizes are characters, and far smaller than in life: a request is some 20 kB instead of 200."""

    #: People who work at the same time, and the clients' keys that they share.
    users: int = 24
    keys: int = 6
    #: Weights of what a session is: Claude Code, Codex, somebody's program with a plain SDK.
    claude_code: int = 5
    codex: int = 2
    sdk: int = 6
    #: Prompts of an agent's session at most, and rounds of tools for each at most.
    most_prompts: int = 12
    most_calls: int = 8
    #: Of prompts: a word or two, a wish for a model, words that only look like one, something pasted, far too much
    #: pasted, an image, plan mode, a subagent, a search of the web, a question of the client's own to a small model,
    #: a reminder of the client's.
    short: float = 0.25
    wishes: float = 0.12
    decoys: float = 0.06
    pastes: float = 0.12
    long_pastes: float = 0.004
    images: float = 0.04
    plans: float = 0.06
    subagents: float = 0.08
    searches: float = 0.03
    asides: float = 0.15
    reminders: float = 0.4
    #: Of calls of tools: the client asks whether the command may run. Of prompts: their user was away before.
    permissions: float = 0.15
    absences: float = 0.05
    #: Of sessions: a high effort, and no hint in a header of what each request is for.
    high_effort: float = 0.15
    unhinted: float = 0.5
    #: Targets that are asked for by name, and how often a program's session does so.
    explicit: tuple[str, ...] = ()
    explicit_share: float = 0.1
    system_chars: int = 4_000
    tool_chars: int = 250
    result_chars: int = 2_400
    long_chars: int = 280_000
    #: A longer conversation is compacted.
    compact_chars: int = 40_000
