"""One session of a coding agent: 30 turns, and what its client asks beside them.

A turn is a request of the main conversation: a prompt of the human's, or the results of the tools that were called. One
turn brings an image, one is long (after it the conversation is compacted), one prompt is in plan mode. Beside them go
a title, permission checks, a subagent and the compaction.
"""

from random import Random
from typing import Final

from core.lab.traffic import START_MS, Mix, Sent
from core.lab.traffic.claude_code import Session
from core.lab.traffic.claude_wire import Desk
from core.lab.traffic.prompts import Prompt
from core.lab.traffic.texts import Texts

TURNS: Final = 30
#: What is sent again and again is as long as in life.
MIX: Final = Mix(
    permissions=0.7, reminders=0, high_effort=0, unhinted=0, system_chars=24_000, tool_chars=700, result_chars=6_000,
    compact_chars=250_000,
)  # fmt: skip

#: The words of the second, fifth, eighth and ninth are the bundled taxonomy's.
PROMPTS: Final = (
    Prompt(text="Why does the import of large files fail? Look into it.", calls=4),
    Prompt(text="Good. Make a detailed plan first, and show it to me.", calls=2, plan=True),
    Prompt(text="Go ahead.", calls=5, subagent=True),
    Prompt(text="The page looks like this now. Mend the layout.", calls=1, image=True),
    Prompt(text="Please give me a thorough review of what you changed.", calls=2),
    Prompt(text="It still fails. This is the whole log:", pasted=280_000),
    Prompt(text="Repair that, and run the tests again.", calls=4),
    Prompt(text="I need a second opinion on the way the cache is filled.", calls=1),
    Prompt(text="Write the entry for the list of changes, and keep it cheap.", calls=1, pause_ms=400_000),
    Prompt(text="Thank you. Sum up what was done."),
)


def session() -> list[Sent]:
    """The requests in their order."""
    random = Random(6)  # noqa: S311 (a bench, no secret)
    desk = Desk("user", "", random, MIX, Texts(6))
    return list(Session(desk, random, START_MS).play(PROMPTS))


def is_turn(sent: Sent) -> bool:
    """Whether it is of the main conversation."""
    return sent.kind in {"prompt", "tools"}
