"""What leads clients past the proxy: variables of the environment and settings files. Pure; no value is ever quoted but
a host's name.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from core.client_environment import (
    CUSTOM,
    ELSEWHERE,
    EXCEPTIONS,
    NO_KEY,
    PROXIES,
    Target,
    custom_headers,
    excepting,
)
from core.client_files import CONTESTED, MODELS, ClaudeSettings, CodexSettings
from core.finding import Finding, note, wrong
from core.visible import visible

RUN: Final = "or let `terraphim-proxy run -- CLIENT` do it"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def judge_environment(env: Mapping[str, str], proxy: Target, keys: Collection[str]) -> list[Finding]:
    """Of this shell's variables. `keys` are the secrets of clients; empty if everybody may ask."""
    found = [*_addresses(env, proxy), *_credentials(env, proxy, keys), *_elsewhere(env, proxy)]
    return found or [note("environment", f"nothing points here ({proxy.url})", "terraphim-proxy run -- claude")]


def _addresses(env: Mapping[str, str], proxy: Target) -> Iterator[Finding]:
    if url := env.get("ANTHROPIC_BASE_URL"):
        fix = f"export ANTHROPIC_BASE_URL={proxy.url}"
        if not leads_to(url, proxy.url):
            yield wrong("ANTHROPIC_BASE_URL", f"leads to {shown(url)}, not to this proxy ({proxy.url})", fix)
        elif urlsplit(url).path.strip("/"):
            yield wrong("ANTHROPIC_BASE_URL", "has a path: clients add /v1/messages to it themselves", fix)
        else:
            yield Finding("ANTHROPIC_BASE_URL", ok=True, state=proxy.url)
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
        if url := env.get(name):
            fix = f"export {name}={proxy.url}/v1"
            if not leads_to(url, proxy.url):
                yield note(name, f"leads to {shown(url)}, not to this proxy", fix)
            elif urlsplit(url).path.rstrip("/") != "/v1":
                yield wrong(name, "must end with /v1: clients add /chat/completions to it", fix)
            else:
                yield Finding(name, ok=True, state=f"{proxy.url}/v1")


def _credentials(env: Mapping[str, str], proxy: Target, keys: Collection[str]) -> Iterator[Finding]:
    here = leads_to(env.get("ANTHROPIC_BASE_URL", ""), proxy.url)
    token, key = env.get("ANTHROPIC_AUTH_TOKEN"), env.get("ANTHROPIC_API_KEY")
    if token and key and token != key:
        told = "stands beside ANTHROPIC_AUTH_TOKEN: Claude Code warns, and sends both"
        yield wrong("ANTHROPIC_API_KEY", told, f"unset ANTHROPIC_API_KEY in the client's shell, {RUN}")
    if not here:
        return
    if keys and (token or key) not in keys:
        name = "ANTHROPIC_AUTH_TOKEN" if token or not key else "ANTHROPIC_API_KEY"
        yield wrong(name, "is none of the proxy's server.keys, so clients get 401", f"export one of them, {RUN}")
    elif not token and not key:
        yield wrong("ANTHROPIC_AUTH_TOKEN", "is not set: clients ask for a login", f"export {_token_line()}, {RUN}")
    elif not keys and key and not token:
        told = "a provider's key, it seems, is shown to the proxy, which does not need it"
        yield note("ANTHROPIC_API_KEY", told, f"unset ANTHROPIC_API_KEY; export {_token_line()}")


def _token_line() -> str:
    return f"ANTHROPIC_AUTH_TOKEN={NO_KEY}"


def _elsewhere(env: Mapping[str, str], proxy: Target) -> Iterator[Finding]:
    for name in ELSEWHERE:
        if env.get(name):
            yield wrong(name, "Claude Code asks somebody else, or shows another credential", f"unset {name}, {RUN}")
    if (said := env.get(CUSTOM, "")) and custom_headers(said, "") != "\n".join(said.splitlines()):
        yield wrong(CUSTOM, "holds a credential, which is shown instead of the proxy's key", f"take it out, {RUN}")
    for name in MODELS:
        if value := env.get(name):
            yield _pinned(name, value)
    excepted = [each.strip() for name in EXCEPTIONS for each in env.get(name, "").split(",")]
    if (through := [name for name in PROXIES if env.get(name)]) and not {proxy.host, "*"} & set(excepted):
        fix = f"export NO_PROXY={visible(excepting(env, proxy.host))}"
        yield wrong(through[0], f"requests to {proxy.host} go through another proxy", f"{fix}, {RUN}")


def _pinned(name: str, model: str) -> Finding:
    if "," in model:
        told = f"{visible(model, 80)}: an explicit target, which no phase can change"
        return note(name, told, "unset it, or name a plain model, to let the phases decide")
    return note(name, f"{visible(model, 80)}: clients ask for it; the phases decide all the same")


def judge_claude(files: Sequence[ClaudeSettings], proxy: Target, keys: Collection[str]) -> Iterator[Finding]:
    """Of Claude Code's settings files: what they set wins over the environment. `keys` as for `judge_environment`."""
    for file in files:
        name = visible(file.place)
        if file.problem:
            yield wrong(name, file.problem, "mend or remove it")
            continue
        against = [each for each in CONTESTED if file.env.get(each) and not _agrees(each, file.env[each], proxy, keys)]
        if against:
            told = f"its env sets {', '.join(against)}, which wins over the shell"
            yield wrong(name, told, f"take them out of it, {RUN.replace('CLIENT', 'claude')}, which overrules it")
        if file.key_helper:
            told = "apiKeyHelper makes a key, which Claude Code may show instead of the proxy's"
            yield note(name, told, "remove apiKeyHelper from it, unless it makes the proxy's key")
        for each in MODELS:
            if value := file.env.get(each):
                yield _pinned(f"{name} {each}", value)
        if file.model:
            yield _pinned(f"{name} model", file.model)
        if not against:
            yield Finding(name, ok=True, state="nothing leads past the proxy")


def _agrees(name: str, value: str, proxy: Target, keys: Collection[str]) -> bool:
    if name == "ANTHROPIC_BASE_URL":
        return leads_to(value, proxy.url) and not urlsplit(value).path.strip("/")
    if name == CUSTOM:
        return custom_headers(value, "") == "\n".join(value.splitlines())
    return name == "ANTHROPIC_AUTH_TOKEN" and (value in keys or not keys)


def judge_codex(file: CodexSettings, proxy: Target) -> Finding:
    """Of Codex' configuration."""
    name = visible(file.place)
    if file.problem:
        return wrong(name, file.problem, "mend it")
    if not file.base_url or not leads_to(file.base_url, proxy.url):
        where = shown(file.base_url) if file.base_url else "OpenAI"
        told = f"provider {visible(file.provider, 40)} leads to {where}"
        return note(name, told, "terraphim-proxy run -- codex takes this proxy all the same")
    if urlsplit(file.base_url).path.rstrip("/") != "/v1":
        return wrong(name, "base_url must end with /v1: Codex adds /responses", f'base_url = "{proxy.url}/v1"')
    return Finding(name, ok=True, state=f"provider {visible(file.provider, 40)} is this proxy")


def leads_to(url: str, proxy: str) -> bool:
    """Whether it is the proxy's scheme, host and port; loopback has several names."""
    try:
        there, here = urlsplit(url), urlsplit(proxy)
        ports = there.port or 80, here.port or 80
    except ValueError:
        return False
    hosts = {there.hostname, here.hostname}
    same = len(hosts) == 1 or hosts <= _LOOPBACK
    return there.scheme == here.scheme and same and ports[0] == ports[1]


def shown(url: str) -> str:
    """The host of an address, without what else may stand in it: a password, a key."""
    try:
        parts = urlsplit(url)
        return visible(
            f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or "an address that is none", 80
        )
    except ValueError:
        return "an address that is none"
