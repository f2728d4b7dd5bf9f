"""The bench: figures of one run on one machine, beside what stands in the same run.

- `row` is a figure with its bound; `stats` makes figures of samples.
- `corpus` writes code and prose from a seed; `bodies` makes requests of it.
- `decisions`, `texts` (tokens and patterns), `starting` and `memory` are the suites.
- `native_programs` makes the programs in C: the mock of a provider, and the load generator that `load_generator` runs.
  `children` starts programs, `trees` knows what they use. `compare` is a program of its own: this proxy beside others.
"""
