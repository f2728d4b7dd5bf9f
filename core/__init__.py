"""Terraphim LLM Proxy: the nouns, in the order in which a request meets them.

- `app` takes bytes off a socket and is the only module that knows ASGI.
- `dialects` turn a client's bytes into a neutral `Request` (`messages`), and answers back into the client's bytes.
- `features` says what a request is: how large, which scenario, which session, what it needs.
- `routing` decides: a `Snapshot` (settings, taxonomy, rules, targets) and `Features` give a `Decision` (`exchange`).
- `wasm_host`, the sibling package, runs users' rules; `rolegraph` matches the markdown taxonomy.
- `course` is its way through the candidates: `resilience` says what follows a failure, `standing` how each target is.
- `guarding` is who may say no to it, and is told what it cost; `keeping` is what outlives it, here or in Redis.
- `upstream` is the only way out; `pipeline` is the straight line through all of this.
- `decision_record` is what is kept of a decision, and `lab` makes it again: replay, backtest, generated traffic.
- `telemetry` names everything that is counted, `metrics` counts it; `errors` is everything that a client may read.
"""

__version__ = "0.1.0"
