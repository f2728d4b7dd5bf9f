"""LiteLLM's proxy in front of `faultd`: installed in a folder of its own, and set up as `rig` sets up ours."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from bench import children
from prove import installing
from prove.faultd_table import FAULTS
from prove.installing import NotInstalled
from prove.rig import CLOCKS, KEY, Rig, base_url, faultd, provider

PACKAGE: Final = "litellm[proxy]>=1.60,<2"
FOLDER: Final = installing.TOOLS / "litellm"
#: Between a model's provider and name: a comma would separate several models.
BETWEEN: Final = "-"
#: Models that it knows, so that it treats their providers as what they are.
#: By dialect; the dialects that it is asked in.
MODELS: Final = {"anthropic": "anthropic/claude-sonnet-4-5", "openai": "openai/gpt-4o"}
#: It is imported for half a minute on a slow machine (s).
START_S: Final = 180.0
#: It is slower than ours, so a stream of its has more than `total_s`, and still less than `rig.BOUND_S` (s).
STREAM_S: Final = 10.0
#: Prices from its own package instead of the network, no administration, an end for every stream.
VARIABLES: Final = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "DISABLE_ADMIN_UI": "True",
    "LITELLM_MAX_STREAMING_DURATION_SECONDS": str(STREAM_S),
}


def install(folder: Path = FOLDER, package: str = PACKAGE) -> str:
    """Its version; `installing.NotInstalled` says what went wrong."""
    return installing.install(folder, package, "litellm")


def configuration(ports: dict[str, int]) -> dict[str, Any]:
    """The same models, addresses and clocks as ours; nothing is asked twice, nobody is left out after failures.

    It has one clock for what ours has three for, so it is given the longest of them.
    """
    clocks = {"timeout": CLOCKS["total_s"], "stream_timeout": CLOCKS["total_s"], "max_retries": 0}
    models = [
        {
            "model_name": f"{provider(dialect, fault.port)}{BETWEEN}{name}",
            "litellm_params": {
                "model": MODELS[dialect],
                "api_base": base_url(dialect, fault.port, ports),
                "api_key": KEY,
                **clocks,
            },
        }
        for name, fault in FAULTS.items()
        for dialect in fault.dialects
        if dialect in MODELS
    ]
    return {
        "model_list": models,
        "litellm_settings": {
            "telemetry": False,
            "drop_params": True,
            "num_retries": 0,
            "request_timeout": CLOCKS["total_s"],
            "use_chat_completions_url_for_anthropic_messages": True,  # faultd has no other one
        },
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "general_settings": {"dangerously_permit_weak_or_unset_master_key": True},  # clients have no key, on loopback
    }


@contextmanager
def running(folder: Path, installed: Path = FOLDER) -> Iterator[Rig]:
    """Both running, in `folder`, which does not exist yet."""
    home = folder / "home"
    home.mkdir(parents=True)
    with ExitStack() as stack:
        process, ports = stack.enter_context(faultd(folder))
        config = folder / "config.yaml"
        config.write_text(json.dumps(configuration(ports)))  # JSON is YAML
        server = stack.enter_context(_proxy(installed, config, home))
        yield Rig(folder, server, ports, process)


@contextmanager
def _proxy(installed: Path, config: Path, home: Path) -> Iterator[children.Server]:
    port = children.free_port()
    arguments = ("--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False")
    command = [str(installed / "bin" / "litellm"), *arguments]
    env = children.environment(home) | VARIABLES
    with (
        (home / "log").open("wb") as log,
        subprocess.Popen(command, env=env, cwd=home, stdout=log, stderr=log) as child,
    ):
        try:
            _wait(child, port, home / "log")
            yield children.Server(child, port)
        finally:
            child.kill()


def _wait(child: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while child.poll() is None and time.monotonic() < deadline:
        if children.request(port, "GET", "/health/liveliness")[0] == 200:
            return
        time.sleep(0.2)
    raise NotInstalled(f"it does not start: {log.read_text(errors='replace')[-2000:]}")
