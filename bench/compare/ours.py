"""This proxy, as it is installed: records, metrics and log on, the shipped taxonomy, all phases, one provider."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from bench import children
from bench.compare.target import SAME, TRANSLATED, Place, Running, Speech, Target, of

ROOT: Final = Path(__file__).parents[2]
#: The shipped rule, which is asked about every request and abstains from these.
RULE: Final = "wasm-demo.wat"
_CONFIG: Final = """\
[providers.mock]
dialect = "{dialect}"
base_url = "{url}"
allow_private = true
[routing]
default = "mock,other-model"
[plugins]
dir = "plugins"
isolation = "{isolation}"
[taxonomy]
dir = {taxonomy}
"""


class Setup(Struct, frozen=True):
    """What differs between the proxies that are measured. The model's name changes on the way in all of them."""

    way: str = SAME
    rule: Literal["", "inline", "process"] = ""
    #: Several share the cores that the mock and the load are on, too.
    workers: int = 1


def targets() -> list[Target]:
    """Without a rule, with one in each isolation, translating, and with two workers."""
    return [
        _target("ours", Setup()),
        _target("ours, inline rule", Setup(rule="inline")),
        _target("ours, worker rule", Setup(rule="process")),
        _target("ours, translating", Setup(way=TRANSLATED)),
        _target("ours, 2 workers", Setup(workers=2)),
    ]


def _target(name: str, setup: Setup) -> Target:
    return Target(name, "ours", partial(_started, setup), {setup.way: Speech()})


@contextmanager
def _started(setup: Setup, place: Place) -> Iterator[Running]:
    config = write_config(setup, place)
    core = place.cores.measured if setup.workers == 1 else None
    arguments = ("--config", str(config), "--workers", str(setup.workers))
    with of(children.proxy(*arguments, core=core, home=place.folder)) as running:
        if setup.workers > 1 and not children.until(partial(_whole, running.port)):
            raise RuntimeError("not all workers are ready")
        yield running


def _whole(port: int) -> bool:
    told = json.loads(children.request(port, "GET", "/health")[1])["workers"]
    return bool(told["ready"] == told["count"])


def write_config(setup: Setup, place: Place) -> Path:
    """In the target's folder, with its plugins."""
    plugins = place.folder / "plugins"
    plugins.mkdir(mode=0o700, parents=True)
    if setup.rule:
        (plugins / RULE).write_bytes((ROOT / "plugins" / RULE).read_bytes())
        _lock(plugins, place.folder)
    dialect, url = ("openai", f"{place.url}/v1") if setup.way == TRANSLATED else ("anthropic", place.url)
    config = place.folder / "config.toml"
    taxonomy = json.dumps(str(ROOT / "taxonomy"))
    isolation = setup.rule or "process"
    config.write_text(_CONFIG.format(dialect=dialect, url=url, isolation=isolation, taxonomy=taxonomy))
    return config


def _lock(plugins: Path, home: Path) -> None:
    """Only rules that are locked or signed run inline."""
    command = children.python("-c", children.PROGRAM, "rules", "lock", "--plugins", str(plugins))
    subprocess.run(command, env=children.environment(home), cwd=home, check=True, capture_output=True)
