"""What a user would pick instead: installed on demand below `.tools/peers`, each with a configuration for the bench.

`python -m bench.compare.peers` (`make bench-peers`) installs them by name and version, and says what could not be.
Their telemetry is switched off where they have a switch; while they are measured they are in a network of their own,
where there is nothing but the loopback interface (`network`).
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct

from bench import children, trees
from bench.compare.target import SAME, TRANSLATED, Place, Running, Speech, Target
from prove import installing
from prove.installing import NotInstalled

FOLDER: Final = installing.TOOLS / "peers"
#: What they ask the mock with; it takes anything.
KEY: Final = "sk-bench"


class Package(Struct, frozen=True):
    """What is installed, in a folder of its own."""

    name: str
    version: str
    registry: Literal["pip", "npm"]

    @property
    def folder(self) -> Path:
        return FOLDER / f"{self.name.rpartition('/')[2].partition('[')[0]}-{self.version}"

    @property
    def installed(self) -> bool:
        return (self.folder / "done").exists()

    def install(self) -> None:
        """`NotInstalled` with the installer's words."""
        if self.registry == "pip":
            installing.install(self.folder, f"{self.name}=={self.version}", self.name.partition("[")[0])
        else:
            installing.install_npm(self.folder, f"{self.name}@{self.version}")


class Peer(Struct, frozen=True):
    """`command` makes the files that it reads in its folder, and says how it is started to listen on that port."""

    target: str
    package: Package
    command: Callable[[Path, Place, int], list[str]]
    speeches: dict[str, Speech]
    variables: dict[str, str] = {}


def _smg(folder: Path, place: Place, port: int) -> list[str]:
    """It knows its workers to be Anthropic's; it has no translation from Anthropic's dialect to an HTTP worker."""
    options = {"backend": "anthropic", "worker-urls": place.url, "host": "127.0.0.1", "port": str(port),
               "prometheus-host": "127.0.0.1", "prometheus-port": str(children.free_port()),
               "history-backend": "none", "log-level": "warn"}  # fmt: skip
    said = [word for name, value in options.items() for word in (f"--{name}", value)]
    return [str(folder / "bin" / "smg"), "launch", *said, "--disable-tokenizer-autoload"]


def _litellm(folder: Path, place: Place, port: int) -> list[str]:
    """Nothing is asked twice, nobody is left out after failures."""
    models = {
        "claude-sonnet-4-5": ("anthropic/claude-sonnet-4-5", place.url),
        "chat": ("openai/gpt-4o", f"{place.url}/v1"),
    }
    config = {
        "model_list": [
            {"model_name": name, "litellm_params": {"model": model, "api_base": url, "api_key": KEY, "max_retries": 0}}
            for name, (model, url) in models.items()
        ],
        "litellm_settings": {
            "telemetry": False,
            "drop_params": True,
            "num_retries": 0,
            "use_chat_completions_url_for_anthropic_messages": True,  # the mock has no other one
        },
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "general_settings": {"dangerously_permit_weak_or_unset_master_key": True},  # clients have no key, on loopback
    }
    file = place.folder / "config.yaml"
    file.write_text(json.dumps(config))  # JSON is YAML
    options = ("--config", str(file), "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False")
    return [str(folder / "bin" / "litellm"), *options]


def _ccr(folder: Path, place: Place, port: int) -> list[str]:
    """A provider in each dialect. It finds its configuration in its HOME."""
    providers: list[dict[str, Any]] = [
        {"name": "same", "api_base_url": f"{place.url}/v1/messages", "models": ["claude-sonnet-4-5"],
         "transformer": {"use": ["Anthropic"]}},
        {"name": "chat", "api_base_url": f"{place.url}/v1/chat/completions", "models": ["gpt-4o"]},
    ]  # fmt: skip
    config = {
        "HOST": "127.0.0.1", "PORT": port, "LOG": False, "NON_INTERACTIVE_MODE": True, "API_TIMEOUT_MS": 600_000,
        "Providers": [{**provider, "api_key": KEY} for provider in providers],
        "Router": {"default": "same,claude-sonnet-4-5"},
    }  # fmt: skip
    home = place.folder / ".claude-code-router"
    home.mkdir()
    (home / "config.json").write_text(json.dumps(config))
    return ["node", str(folder / "node_modules/@musistudio/claude-code-router/dist/cli.js"), "start"]


def _portkey(folder: Path, place: Place, port: int) -> list[str]:  # noqa: ARG001 - a request's headers say the provider
    """Without its console."""
    program = folder / "node_modules/@portkey-ai/gateway/build/start-server.js"
    return ["node", str(program), f"--port={port}", "--headless"]


_KEYED: Final = ("anthropic-version: 2023-06-01", f"x-api-key: {KEY}")
_ANTHROPIC: Final = Speech(headers=_KEYED)
#: {upstream} becomes the mock's address.
_TO_PORTKEY: Final = ("x-portkey-provider: anthropic", "x-portkey-custom-host: {upstream}/v1")
PEERS: Final = (
    Peer("smg", Package("smg", "1.13.0", "pip"), _smg, {SAME: _ANTHROPIC}),
    Peer(
        "claude-code-router", Package("@musistudio/claude-code-router", "1.0.73", "npm"), _ccr,
        {SAME: _ANTHROPIC, TRANSLATED: Speech(headers=_KEYED, model="chat,gpt-4o")},
    ),
    Peer(
        "portkey", Package("@portkey-ai/gateway", "1.15.2", "npm"), _portkey,
        {SAME: Speech(headers=(*_KEYED, *_TO_PORTKEY))}, {"NODE_ENV": "production"},
    ),
    Peer(
        "litellm", Package("litellm[proxy]", "1.106.0", "pip"), _litellm,
        {SAME: _ANTHROPIC, TRANSLATED: Speech(headers=_KEYED, model="chat")},
        {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "DISABLE_ADMIN_UI": "True", "LITELLM_MODE": "PRODUCTION",
         "LITELLM_LOG": "ERROR"},
    ),
)  # fmt: skip


def targets() -> list[Target]:
    """Those that are installed."""
    return [
        Target(peer.target, "peer", partial(_started, peer), peer.speeches) for peer in PEERS if peer.package.installed
    ]


def missing() -> list[str]:
    """The names of the others."""
    return [peer.target for peer in PEERS if not peer.package.installed]


@contextmanager
def _started(peer: Peer, place: Place) -> Iterator[Running]:
    """Whether it answers is seen by asking it."""
    port = children.free_port()
    env = children.environment(place.folder) | peer.variables
    command = peer.command(peer.package.folder, place, port)
    log = place.folder / "log"
    with log.open("wb") as file, children.pinned(place.cores.measured):
        process = subprocess.Popen(command, env=env, cwd=place.folder, stdout=file, stderr=file)
    with trees.stopped(process):
        yield Running(process.pid, port, log)


def main() -> int:
    """Installs all of them. 1 if one could not be: the comparison runs without it."""
    failed = 0
    for peer in PEERS:
        package = peer.package
        print(f"{package.name} {package.version} ...", flush=True)
        try:
            package.install()
        except NotInstalled as error:
            failed = 1
            print(f"NOT INSTALLED: {package.name} {package.version}: {error}", file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main())
