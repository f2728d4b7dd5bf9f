"""What is promised, tried: large volumes, fixed seeds, real processes.

- `encode` writes binaries; `bombs` makes modules that are expensive to judge, `damaged` files that are no longer whole,
  `smith` generated and mutated modules, `mutants` bytes for the preflight.
- `loading` compiles modules and counts CPU; `asking` is a child that asks rules; `vectors` reads what a vector expects.
- `trial` puts files through both; `conformance` runs all of these and prints what came of it.

The promises that need a running proxy: `scene` starts it, with a `client` in a process of its own, and `guests` writes
rules. `promises` lists them, each a module of its own; `python -m prove` runs them in a `profile`. `section` is what
each hands over, `report` what a run leaves behind. `hostile` puts a proxy between a provider without an end (`endless`)
and a `crowd` of clients that misbehave.

The fault kit: `faultd` plays the faults of `faultd_table`, `oracle` judges what came back, `rig` puts a proxy between
them. `truth` and `leaving` are promises on it, `leakcheck` counts what a proxy holds. `compare` puts another
proxy (`rival`) in the same place, before a judge with more `leniency`.
"""
