"""This proxy beside bare floors, nginx and what a user would pick instead: `python -m bench.compare`.

- `cells` are kinds of traffic and their requests; `target` is something measured: `ours`, `floors`, `peers`.
- `rounds` measures, targets by turns; `streams` does so with many paced streams.
- `figures` keeps turns and makes ratios within a round, `bounds` holds them against issue 9.
- `report` prints and `plot` draws. `network` keeps all of it from the world.
"""
