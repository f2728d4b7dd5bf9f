"""The bench: figures of one run on one machine, beside what stands in the same run.

- `row` is a figure with its bound; `stats` makes figures of samples.
- `corpus` writes code and prose from a seed; `bodies` makes requests of it.
- `decisions`, `texts` (tokens and patterns), `traffic`, `starting` and `memory` are the suites.
- `mock`, `floor` and `clients` are programs of their own, without an import from here: the provider, the pass-through
  that the proxy is compared with, and the load generator. `children` starts them.
"""
