"""Two proxies, one Redis, and limits that nobody passes without it: shared, refused while it is away, shared again."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from bench import children
from core.state.redis_link import LONGEST_AGAIN_S
from prove.redis_scene import store
from prove.scene import PATIENCE_S, Scene, body, scene, wait
from prove.section import Section

#: A minute's limit, of which a tenth may come at once.
LIMIT, AT_ONCE = 60, 6
CONFIG: Final = """\
[redis]
url = "redis://127.0.0.1:{port}"
timeout_ms = 1000
[limits]
without_redis = "closed"
[limits.address]
requests_per_minute = {limit}
"""
#: What a client of each dialect is told while nobody can count: path, status, and where the error's type is.
REFUSED: Final = {"/v1/messages": (529, "overloaded_error"), "/v1/chat/completions": (503, "overloaded_error")}


def stage(folder: Path, found: Section) -> None:
    """Counts and findings go into the section."""
    with store(folder / "redis") as server, ExitStack() as stack:
        config = CONFIG.format(port=server.port, limit=LIMIT)
        proxies = [stack.enter_context(scene(folder / name, config=config)) for name in ("one", "other")]
        found.findings += _together(proxies, "before", found)
        server.end()
        found.findings += _refused(proxies)
        server.start()
        _back(proxies)
        found.findings += _together(proxies, "after", found)


def _together(proxies: Sequence[Scene], when: str, found: Section) -> list[str]:
    """Both are asked in turn for twice as much as both may let through."""
    begun = time.monotonic()
    answers = [proxies[number % 2].request("/v1/messages", body())[0] for number in range(4 * AT_ONCE)]
    served = answers.count(200)
    most = AT_ONCE + int((time.monotonic() - begun) * LIMIT / 60) + 1
    found.counts[f"two proxies, {when}"] = f"{served} of {len(answers)} served, {AT_ONCE} may come at once"
    return judge(answers, most, when)


def judge(answers: Sequence[int], most: int, when: str) -> list[str]:
    """What is wrong with these answers: at least one, and no more than `most`, are served; the others are told 429."""
    findings = []
    if not 0 < answers.count(200) <= most:
        findings.append(f"limits, {when}: two proxies served {answers.count(200)} requests, {most} may be")
    if others := sorted(set(answers) - {200, 429}):
        findings.append(f"limits, {when}: answers were {others}")
    return findings


def _refused(proxies: Sequence[Scene]) -> list[str]:
    findings = []
    for number, proxy in enumerate(proxies, 1):
        for path, (status, kind) in REFUSED.items():
            got, data = children.request(proxy.port, "POST", path, body())
            said = msgspec.json.decode(data).get("error", {}).get("type")
            if (got, said) != (status, kind):
                findings.append(f"without Redis, proxy {number} answers {path} with {got} {said}, not {status} {kind}")
    return findings


def _back(proxies: Sequence[Scene]) -> None:
    patience = PATIENCE_S + LONGEST_AGAIN_S
    wait(lambda: {_health(proxy) for proxy in proxies} == {"ok"}, "Redis is not used again", patience_s=patience)


def _health(proxy: Scene) -> str:
    return str(msgspec.json.decode(proxy.request("/health")[1])["redis"])
