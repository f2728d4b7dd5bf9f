"""What a rule in shadow would have decided, told by the decision that was made without it. Pure.

It was asked where it would have been had it decided: all rules and phases before it passed on. So its word would have
stood, if the gate lets its target through; else everything would have come as it came. `lab.enforce` makes the whole
decision again and says the same; this costs a look at the gate.
"""

from core.exchange import Decision, Inputs, Target
from core.routing.decide import Deciding
from core.routing.snapshot import Snapshot
from wasm_host.answer import Outcome


def would_decide(snapshot: Snapshot, inputs: Inputs, outcome: Outcome) -> bool:
    """Whether the rule's outcome would have ended the decision that it was asked for."""
    if outcome.deny_status or outcome.code != "route":
        return outcome.deny_status != 0
    deciding = Deciding(snapshot, inputs.features, inputs.session, (), inputs.states, inputs.factors)
    return deciding.admit("custom", Target.parse(outcome.route)) is not None


def would_differ(outcome: Outcome, decision: Decision) -> bool:
    """Whether a rule that would have decided would have named another target than was decided; nobody is one too."""
    target = Target.parse(outcome.route) if outcome.code == "route" else None
    return target != decision.target
