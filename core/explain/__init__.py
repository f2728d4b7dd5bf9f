"""Why a request goes where it goes, as data and as text: what `POST /v1/route` and `explain` answer. Pure.

explanation    the whole: the decision, its candidates, the facts, every phase
phases         what each phase found and said, and which were not reached
looks          what each phase looked at
rules          what each rule was shown and said, and why the others were not asked
costs          what a candidate is expected to cost
people         the explanation for people
"""

from core.explain.explanation import dialect_of, explanation

__all__ = ["dialect_of", "explanation"]
