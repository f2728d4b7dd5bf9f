"""Generated traffic: what a team's coding agents and programs would send, made from a seed. Pure.

`generate` gives requests in the order in which they are sent: sessions of several users side by side, each with its
turns, loops of tools and growing conversation, and a clock that goes on. The same seed gives the same bytes, in any
process; the first requests of a longer run are those of a shorter one.

sent        a request, and the conversation that it is taken from
mix         how often what happens
prompts     what people ask
writer      words, sentences, lines of code
texts       long texts, written once and cut anew
claude_code, claude_wire, claude_asides    sessions of Claude Code
codex       sessions of Codex
sdk         programs with a plain SDK
weave       many sessions at once
"""

from core.lab.traffic.mix import Mix
from core.lab.traffic.sent import Sent
from core.lab.traffic.weave import START_MS, generate

__all__ = ["START_MS", "Mix", "Sent", "generate"]
