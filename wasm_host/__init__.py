"""A host for routing rules written in WebAssembly: load, limit, run and explain other people's code.

- `abi` is the contract; `binary` and `preflight` judge a module's bytes without an engine.
- `child` starts processes that can do little; `compiler` compiles in one of them and keeps artifacts in a cache.
- `manifest` merges what the author and the operator say of a rule; `projection` is what the rule then gets to see.
- `registry` turns a folder into an immutable `RuleSet`, `files` reads it; `answer` judges what rules say.
- `trust` says which modules are let in, by a lock or a `signature`; `audit` compares a folder with its lock.
- `host` is asked for decisions: `health` (of `breaker`s and quarantine) says whom to leave alone, `asking` makes calls
  and outcomes, `pool` and `process` carry calls in `frames` to a `worker` and watch its `board`, `execute` runs them.
- `guest` is the life of a call, `world` what it sees of the outside, `wasi` how it asks; `native` and `public` are two
  ways to the engine, of which `paths` chooses; `engine` builds it after `profile`, `capi` is its C API,
  `ticker` the clock that ends calls.
- `hardening` is what a process gives up before it runs a guest; `seccomp` its filter, `linux` the calls for it.
- `inline` runs rules in whatever process it is in, for the children of the toolbox.
- `testing` shows one module to its author, asked by `trial` in a child: `checking` says what is wrong, `examination`
  runs the cases of `casework` and the requests of `hostile`, `follow` does so at every change of a `workshop` and puts
  what passed into the `shadow`; `timing` asks a worker.

Nothing here imports the proxy: the package could be published alone. Importing it does not load the engine.
"""
