"""Requests that hold a secret where none belongs: in every part of a request, and in every kind of mistake."""

import base64
import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

#: A request of each API that is as it should be.
ANTHROPIC: Final = "/v1/messages"
CHAT: Final = "/v1/chat/completions"
RESPONSES: Final = "/v1/responses"
PATHS: Final = (ANTHROPIC, CHAT, RESPONSES, "/v1/messages/count_tokens", "/v1/route")
#: More than a body may have (bytes).
TOO_LARGE: Final = 33 * 1024 * 1024
#: In a prompt: the proxy fails in a way that it should not (`canary_bugs`).
BUG: Final = "[[bug {where}]]"
WHERES: Final = ("counting", "asking", "thread", "task")


def request(
    path: str, body: bytes | None, *headers: str, method: str = "POST", key: str = "", host: str = "127.0.0.1"
) -> bytes:
    """Bytes of a request, for a connection of its own."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}", "connection: close", *headers]
    lines += [f"x-api-key: {key}"] if key else []
    if body is not None:
        lines += [f"content-length: {len(body)}"]
        if not any(line.lower().startswith("content-type:") for line in headers):
            lines.append("content-type: application/json")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def said(model: Any, text: Any, **more: Any) -> bytes:
    """A body that the three APIs take for one of theirs, as far as they look."""
    message = {"role": "user", "content": text}
    return json.dumps({"model": model, "max_tokens": 9, "messages": [message], "input": [message]} | more).encode()


def misplaced(secret: str, key: str, model: str) -> Iterator[bytes]:
    """`key` opens the door and `model` is somebody to ask; `secret` stands where it should not."""
    yield from _as_a_key(secret)
    yield from _in_the_head(secret, key)
    yield from _in_a_url(secret, key)
    provider = model.partition(",")[0]
    for path in PATHS:
        for body in _bodies(secret, provider, model):
            yield request(path, body, key=key)


def _as_a_key(secret: str) -> Iterator[bytes]:
    """Wrong keys, and the right words in the wrong place."""
    body = said("auto", "hello")
    basic = base64.b64encode(f"user:{secret}".encode()).decode()
    for headers in (
        (f"x-api-key: {secret}x",),
        (f"x-api-key: {secret[:-1]}",),
        (f"x-api-key: {secret}", f"x-api-key: {secret}"),
        (f"authorization: Bearer {secret}{secret}",),
        (f"authorization: {secret}",),
        (f"authorization: Basic {basic}",),
        (f"proxy-authorization: Bearer {secret}", f"cookie: key={secret}", f"x-goog-api-key: {secret}"),
    ):
        yield request(ANTHROPIC, body, *headers)
        yield request("/v1/models", None, *headers, method="GET")
        yield request("/metrics", None, *headers, method="GET")


def _in_the_head(secret: str, key: str) -> Iterator[bytes]:
    body = said("auto", "hello")
    for header in (
        f"origin: http://{secret}", f"content-type: {secret}", f"content-encoding: {secret}", f"accept: {secret}",
        f"user-agent: {secret}", f"user-agent: {secret}/1.0 ({secret})", f"anthropic-beta: {secret}",
        f"anthropic-version: {secret}", f"{secret}: 1", f"{secret.replace('/', '-').replace('+', '-')}: 1",
        f"x-request-id: {secret}", f"x-session-id: {secret}", f"session_id: {secret}",
        f"x-claude-code-session-id: {secret}",
        f"x-claude-code-request-class: {secret}", f"x-claude-code-agent-id: {secret}", f"transfer-encoding: {secret}",
        f"content-length: {secret}", f"expect: {secret}", f"connection: {secret}", f"x-forwarded-for: {secret}",
        f"bad header {secret}", f"x: \x01{secret}", f"forwarded: for={secret}", f"x-long: {secret * 2000}",
    ):  # fmt: skip
        yield request(ANTHROPIC, body, header, key=key)
    yield request(ANTHROPIC, body, key=key, host=secret)
    yield request(ANTHROPIC, body, key=key, method=secret.replace("/", "").replace("+", "")[:20])
    yield secret.encode() + b"\r\n\r\n"
    yield f"POST / HTTP/{secret}\r\n\r\n".encode()
    yield request(ANTHROPIC, body + secret.encode() * (TOO_LARGE // len(secret)), key=key)


def _in_a_url(secret: str, key: str) -> Iterator[bytes]:
    coded = (secret, quote(secret, safe=""), "".join(f"%{byte:02X}" for byte in secret.encode()))
    for text in coded:
        for path in (
            f"/{text}",
            f"/v1/{text}",
            f"/v1/models/{text}",
            f"/v1/models/{text},{text}",
            f"/v1/models/a:{text}",
        ):
            yield request(path, None, key=key, method="GET")
        for query in (f"?dialect={text}", f"?key={text}", f"?{text}", f"?after_id={text}&limit={text}"):
            yield request(f"/v1/route{query}", said("auto", "hello"), key=key)
            yield request(f"{ANTHROPIC}{query}", said("auto", "hello"), key=key)
            yield request(f"/v1/models{query}", None, "anthropic-version: 1", key=key, method="GET")


def _bodies(secret: str, provider: str, model: str) -> Iterator[bytes]:
    """Bodies that are none, that are of a wrong type, and good ones whose names are secrets."""
    whole = said(model, f"[[fault good_text 1 0123456789ab]] {secret}")
    yield secret.encode()
    yield b'{"model": "' + secret.encode()
    yield b"{" + json.dumps(secret).encode() + b": }"
    yield whole[:-7]
    yield whole.replace(b'"max_tokens"', json.dumps(secret).encode() + b": nan, " + b'"max_tokens"')
    yield secret.encode("utf-16")
    yield b'{"model": "' + b"".join(b"\\u%04x" % byte for byte in secret.encode()) + b'\\ud800", "messages": 1}'
    for name in (
        secret,
        f"{secret},m",
        f"{provider},{secret}",
        f"{provider}:{secret}",
        f"{secret}:{secret}",
        {secret: 1},
    ):
        yield said(name, "hello")
    for more in (
        {"messages": secret}, {"messages": [{"role": secret, "content": "x"}]}, {"max_tokens": secret},
        {"stream": secret},
        {"tools": [{"name": secret, "input_schema": {"type": secret}}]}, {"tools": [{"type": secret}]},
        {"system": secret},
        {"tool_choice": {"type": secret, "name": secret}}, {"tool_choice": secret}, {"thinking": {"type": secret}},
        {"metadata": {"user_id": secret}}, {"metadata": {"user_id": f"user_a_account_b_session_{secret}"}},
        {"prompt_cache_key": secret}, {"user": secret}, {"previous_response_id": secret}, {"stop": [secret]},
        {"response_format": {"type": secret}}, {"reasoning_effort": secret}, {"service_tier": secret}, {secret: secret},
    ):  # fmt: skip
        yield said(model, "hello", **more)
    tag = f"<CCR-SUBAGENT-MODEL>{provider},{secret}</CCR-SUBAGENT-MODEL>"
    yield said("auto", f"{tag} hello", system=tag)
    for kind in (secret, "image", "image_url", "input_image", "tool_result", "document"):
        block = {
            "type": kind,
            "text": secret,
            "tool_use_id": secret,
            "image_url": {"url": f"http://127.0.0.1/{secret}"},
        }
        yield said(model, [block | {"source": {"type": "url", "url": f"http://{secret}/a.png"}}])


def bugs(secret: str, key: str, model: str) -> Iterator[bytes]:
    """Requests that find a bug, and what it holds in its hands."""
    for where in WHERES:
        yield request(ANTHROPIC, said(model, f"{BUG.format(where=where)} {secret}"), key=key)
