"""What a client's environment must say so that it asks this proxy, and what must not stand in it. Pure."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from msgspec import json

#: Programs whose ways are known; `any` is everything else, which may use any SDK.
Kind = Literal["claude", "codex", "any"]
#: Sent as a key where the proxy wants none: clients insist on having one.
NO_KEY: Final = "none-needed"
#: Where Codex is told to find its key: not under OPENAI_API_KEY, which the programs that it starts may need.
KEY_VARIABLE: Final = "TERRAPHIM_KEY"
#: Claude Code then says of each request what class it is (`x-claude-code-request-class`).
HINTS: Final = "CLAUDE_CODE_GATEWAY_HINT_HEADERS"
CUSTOM: Final = "ANTHROPIC_CUSTOM_HEADERS"
CLASS_HEADER: Final = "x-claude-code-request-class"
#: With any of these Claude Code asks somebody else, or shows somebody else's credential.
ELSEWHERE: Final = (
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    "CLAUDE_CODE_API_BASE_URL",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "ANTHROPIC_UNIX_SOCKET",
)
#: What sends plain HTTP through somebody else's proxy, unless the host is excepted.
PROXIES: Final = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy")
EXCEPTIONS: Final = ("NO_PROXY", "no_proxy")
_CREDENTIAL_HEADERS: Final = {"authorization", "x-api-key"}
_KEYS: Final = {"ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", KEY_VARIABLE}
_CLASS: Final = re.compile(r"[a-z_]{1,32}")


class Change(NamedTuple):
    """A variable that is set, or (None) taken away."""

    name: str
    value: str | None


class Target(NamedTuple):
    """The proxy: where it is, and the key that this client shows there."""

    url: str
    host: str
    key: str = NO_KEY


def kind_of(program: str) -> Kind:
    """By its name, without folder and ending."""
    name = program.replace("\\", "/").rpartition("/")[2].lower().partition(".")[0]
    return "claude" if name in {"claude", "claude-code"} else "codex" if name == "codex" else "any"


def changes(env: Mapping[str, str], proxy: Target, kind: Kind, *, request_class: str = "") -> list[Change]:
    """What differs from `env`, in a fixed order. ValueError if `request_class` is no word."""
    if request_class and not _CLASS.fullmatch(request_class):
        raise ValueError(f"{request_class!r} is no class of requests")
    wanted = dict(_wanted(env, proxy, kind, request_class))
    return [Change(name, value) for name, value in wanted.items() if env.get(name) != value]


def _wanted(env: Mapping[str, str], proxy: Target, kind: Kind, request_class: str) -> Iterator[tuple[str, str | None]]:
    if kind == "codex":
        yield KEY_VARIABLE, proxy.key
    else:
        yield "ANTHROPIC_BASE_URL", proxy.url
        yield "ANTHROPIC_AUTH_TOKEN", proxy.key
        # Claude Code sends both, and asks whether it may; of other programs many know only this one.
        yield "ANTHROPIC_API_KEY", None if kind == "claude" else proxy.key
        yield HINTS, None if request_class else "1"
        yield CUSTOM, custom_headers(env.get(CUSTOM, ""), request_class) or None
        yield from ((name, None) for name in ELSEWHERE)
    if kind == "any":
        yield "OPENAI_BASE_URL", f"{proxy.url}/v1"
        yield "OPENAI_API_BASE", f"{proxy.url}/v1"
        yield "OPENAI_API_KEY", proxy.key
    if any(env.get(name) for name in PROXIES):
        excepted = excepting(env, proxy.host)
        yield from ((name, excepted) for name in EXCEPTIONS)


def custom_headers(said: str, request_class: str) -> str:
    """The lines of ANTHROPIC_CUSTOM_HEADERS without a credential, which would be shown instead of the proxy's key, and
    with the class.
    """
    dropped = _CREDENTIAL_HEADERS | ({CLASS_HEADER} if request_class else set())
    kept = [line for line in said.splitlines() if line.partition(":")[0].strip().lower() not in dropped]
    return "\n".join([*kept, *([f"{CLASS_HEADER}: {request_class}"] if request_class else [])])


def excepting(env: Mapping[str, str], host: str) -> str:
    """NO_PROXY with this host in it; what stands there stays."""
    said = next((env[name] for name in EXCEPTIONS if env.get(name)), "")
    names = [name.strip() for name in said.split(",") if name.strip()]
    return ",".join(names if {host, "*"} & set(names) else [*names, host])


def codex_arguments(url: str, given: Sequence[str], *, request_class: str = "") -> list[str]:
    """What Codex must be told on its command line: it takes no address from the environment. A model that the user
    names stays, else the proxy chooses (`auto`): as a setting, which counts for `codex exec`, too; `-m` before a
    subcommand does not (openai/codex, issue 2301).
    """
    text = json.encode  # of these strings JSON is TOML, too
    headers = f", http_headers = {{ {CLASS_HEADER} = {text(request_class).decode()} }}" if request_class else ""
    address = text(f"{url}/v1").decode()
    provider = f'{{ name = "terraphim", base_url = {address}, env_key = "{KEY_VARIABLE}"{headers} }}'
    added = ["-c", f"model_providers.terraphim={provider}", "-c", "model_provider=terraphim"]
    return added if _names_model(given) else [*added, "-c", 'model="auto"']


def _names_model(given: Sequence[str]) -> bool:
    named = any(each in {"-m", "--model"} or each.startswith(("--model=", "-m=")) for each in given)
    after_c = pairwise(given)
    return named or any(flag in {"-c", "--config"} and value.startswith("model=") for flag, value in after_c)


def shell_lines(
    changed: Sequence[Change], env: Mapping[str, str], shell: Literal["sh", "fish"], key: str = ""
) -> list[str]:
    """What a shell evaluates: the changes, and a function `terraphim_off` that takes them back. What the variables
    held until now stays in the shell and is not printed; nor is the proxy's key, where `key` is what the shell
    evaluates to it.
    """
    fish = shell == "fish"
    lines, back = [], []
    for name, value in changed:
        kept = f"_terraphim_{name}"
        if name in env:
            lines.append(f"set -g {kept} ${name}" if fish else f'{kept}="${name}"')
            back.append(f"set -gx {name} ${kept}; set -e {kept}" if fish else f'export {name}="${kept}"; unset {kept}')
        else:
            back.append(_off(name, fish=fish))
        if value is None:
            lines.append(_off(name, fish=fish))
        else:
            said = key if key and name in _KEYS else _quoted(value, fish=fish)
            lines.append(f"set -gx {name} {said}" if fish else f"export {name}={said}")
    if changed:
        body = "; ".join(back)
        lines.append(f"function terraphim_off; {body}; end" if fish else f"terraphim_off() {{ {body}; }}")
    return lines


def _quoted(value: str, *, fish: bool) -> str:
    if not fish:
        return shlex.quote(value)
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _off(name: str, *, fish: bool) -> str:
    return f"set -e {name}" if fish else f"unset {name}"
