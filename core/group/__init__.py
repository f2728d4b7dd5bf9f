"""Several processes that serve one port: a supervisor, which serves nobody, and its workers, which are `serve` each.

- `supervisor` starts workers, starts again those that die (`restarts`), and passes on what its operator signals.
- `member` is a worker's place among them: what the supervisor gave it, tells it, and is told.
- `line` carries `messages` between the two, over a socket pair that nobody else can have.
- `turns` lets all of them write lines to one stream.

The port is shared by SO_REUSEPORT: a listener for each worker, made and held by the supervisor, so that a connection
that waits for a worker that dies is served by another one.
"""
