"""`python -m prove.comply`: llm-comply, which has the official API specifications, against our URL.

For Anthropic and chat clients, with each provider's dialect behind but the client's own, whose bytes pass as they came.
llm-comply is installed by pip into .tools/llm-comply; where it cannot be, that is said, and nothing is shown. The exit
code is 1 for a difference that is not explained in `EXPLAINED`.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Final

from proxy import RunningProxy, running
from upstream import Upstream
from upstream import running as upstream_running
from upstream_script import Step

from bench import children
from core.dialects import PROVIDERS
from prove.installing import TOOLS, NotInstalled, install
from prove.section import Section, show

PACKAGE: Final = "llm-comply==0.5.0"
FOLDER: Final = TOOLS / "llm-comply"
#: llm-comply's name of a client's dialect, ours, and a model whose features it tries all.
FORMATS: Final = (("anthropic", "anthropic", "claude-sonnet-4-5"), ("openai-chat", "openai", "gpt-5.1"))
#: What differs from the specification on purpose: a test's error as it is said, and why.
EXPLAINED: Final[Mapping[str, str]] = MappingProxyType(
    {
        r"content\.\d+: \{'type': 'text', .*\} is not valid under any": "`citations` is left out, never null: Vercel's "
        "SDK refuses null, and the official ones take either",
        r"content\.\d+: \{'type': 'tool_use', .*\} is not valid under any": "`caller` is left out: which of a server's "
        "own tools called is Anthropic's to say, and the official SDKs have it as optional",
    }
)
#: What the scripted provider says, by a part of the test's id; else "OK".
_ANSWERS: Final = (
    ("tool-calling", Step(tool="get_weather", input={"location": "Paris"})),
    ("thinking", Step(think="Let me see.", text="27 * 453 = 12231")),
    ("reasoning", Step(think="Let me see.", text="12231")),
)
#: A hang bound (s).
_PATIENCE_S: Final = 120


def main() -> None:
    """The command line."""
    try:
        version = install(FOLDER, PACKAGE, "llm-comply")
    except NotInstalled as exc:
        skipped = Section("llm-comply", skipped=f"llm-comply cannot be installed here: {exc}")
        show([skipped])
        return
    with TemporaryDirectory() as folder:
        sys.exit(1 if show([section(Path(folder), version)]) else 0)


def section(folder: Path, version: str) -> Section:
    """Every test of every format with every provider's dialect but the client's own."""
    found = Section(f"llm-comply {version}")
    explained: Counter[str] = Counter()
    for result in _results(folder):
        judge(result, found, explained)
    found.counts |= {f"explained: {why}": f"{count} times" for why, count in explained.items()}
    return found


def judge(result: Mapping[str, Any], found: Section, explained: Counter[str]) -> None:
    """One test's result: what is not explained is a finding, and so is a test that was not run."""
    unknown = []
    for error in result.get("errors") or ():
        why = next((why for pattern, why in EXPLAINED.items() if re.match(pattern, error, re.DOTALL)), "")
        explained[why] += bool(why)
        unknown += [] if why else [error]
    outcome = Counter({result["status"] if unknown or result["status"] != "failed" else "explained": 1})
    line = result["pair"]
    before = Counter({word: int(count) for count, word in re.findall(r"(\d+) (\w+)", found.counts.get(line, ""))})
    found.counts[line] = ", ".join(f"{count} {word}" for word, count in sorted((before + outcome).items()))
    if unknown or result["status"] not in {"passed", "failed"}:
        found.findings.append(f"{line}, {result['id']}: {result['status']}: {'; '.join(unknown)[:500]}")
    for key in [key for key in explained if not key]:
        del explained[key]


def _results(folder: Path) -> Iterator[dict[str, Any]]:
    with upstream_running() as fake, _proxy(fake, folder) as proxy:
        for spec, client, model in FORMATS:
            names = [each["id"] for each in _run(folder, proxy, spec, "nobody,no-model")]
            for provider in PROVIDERS:
                if provider == client:
                    continue
                for name in names:
                    fake.unscript()
                    fake.script(*(step for part, step in _ANSWERS if part in name))
                    for result in _run(folder, proxy, spec, f"{provider},{model}", "-f", name):
                        yield result | {"pair": f"{client} client, {provider} provider"}


def _proxy(fake: Upstream, folder: Path) -> Any:
    models = "\n".join(f'"{model}" = {{ images = true, tools = true, thinking = true }}' for *_, model in FORMATS)
    tables = [
        f'[providers.{name}]\ndialect = "{name}"\nbase_url = "{fake.url}"\nallow_private = true\n'
        f"[providers.{name}.models]\n{models}\n"
        for name in PROVIDERS
    ]
    config = folder / "config.toml"
    config.write_text("".join(tables) + f'[routing]\ndefault = "{next(iter(PROVIDERS))},{FORMATS[0][2]}"\n')
    return running(children.environment(folder / "home"), "--config", str(config))


def _run(folder: Path, proxy: RunningProxy, spec: str, model: str, *more: str) -> Iterable[dict[str, Any]]:
    options = ("-u", f"{proxy.url}/v1", "-k", "none", "-m", model, "--format", spec, "--json", *more)
    command = [str(FOLDER / "bin" / "llm-comply"), *options]
    env = children.environment(folder / "home")
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    try:
        results: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    except (ValueError, KeyError):
        raise RuntimeError(f"llm-comply: {done.stdout[-500:]} {done.stderr[-500:]}") from None
    return results


if __name__ == "__main__":
    main()
