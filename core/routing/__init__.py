"""The decision: a snapshot and a request's features in, candidates and reasons out.

- `snapshot` freezes what a decision depends on; `driver` runs the rules that a decision asks for.
- `decide` is the generator that goes through the phases; `proposal` is what they say to it.
- `explicit` stands before the phases, `runtime` and `custom` are two of them (pattern and default are lines of
  `decide`), and `gate` judges every target, whoever proposed it.
"""
