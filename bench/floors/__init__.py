"""What the least costs in Python: programs that pass every request on, each started by itself.

- `protocol` has asyncio's protocols on both sides, no ASGI.
- `asgi` is a bare ASGI function on uvicorn with `client`, a minimal client; it can also parse and encode every request.
"""
