"""A proxy for tests of the page's views where one tries and operates: rules, a taxonomy, limits, budgets."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import anthropic
import openai
from configs import write_config
from proxy import RunningProxy, running
from wasm_modules import answering, quoted
from wasm_modules import running as module

#: What a rule, its log and its refusal say: nothing of it may ever be more than text.
HOSTILE = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>'

REFUSAL = json.dumps({"deny": {"status": 403, "message": HOSTILE}})
RULES = """\
[rules.always]
priority = 50
[rules.late]
priority = 10
mode = "shadow"
rollout = { steps = [], auto = "off" }
[rules.guard]
priority = 5
mode = "shadow"
allow_deny = true
rollout = { auto = "off" }
[limits]
requests_per_minute = 1000
[budget]
day_usd = 5.0
"""
PLAN = "# Plan mode\nroute:: one, thinker\nroute:: gone, nobody\npriority:: 70\nsynonyms:: plan mode, 計画モード\n"
SHORT = "# Hi there\nroute:: two, spare\nsynonyms:: hi\n"


def logging(answer: str, said: str) -> str:
    """A rule that logs `said` and always answers `answer`."""
    at, size = 16, len(answer.encode())
    body = f"(call $log (i32.const 2) (i32.const 4096) (i32.const {len(said.encode())})) (i64.const {at << 32 | size})"
    data = f"(data (i32.const {at}) {quoted(answer)}) (data (i32.const 4096) {quoted(said)})"
    return module(body, data).replace(
        "(module", '(module (import "terraphim" "log" (func $log (param i32 i32 i32)))', 1
    )


def write(folder: Path, url: str) -> Path:
    """The configuration: `always` decides what nobody else does; in shadow, `guard` refuses all and `late` is first."""
    config = write_config(folder, url)
    text = config.read_text().replace("[routing]\n", '[routing]\norder = ["runtime", "pattern", "custom", "default"]\n')
    config.write_text(text + RULES)
    plugins = folder / "plugins"
    (plugins / "always.wat").write_text(answering('{"route":"two,spare","reason":"always_two"}'))
    (plugins / "late.wat").write_text(answering('{"route":"one,small","reason":"late"}'))
    (plugins / "guard.wat").write_text(answering(REFUSAL))
    (folder / "taxonomy" / "plan_mode.md").write_text(PLAN)
    (folder / "taxonomy" / "hi_there.md").write_text(SHORT)
    return config


@contextmanager
def serving(env: Mapping[str, str], folder: Path, url: str) -> Iterator[RunningProxy]:
    """The proxy, in front of a fake provider at `url`."""
    with running({**env, "ONE_KEY": "sk-upstream-canary"}, "--config", str(write(folder, url))) as proxy:
        yield proxy


def ask_claude(proxy: RunningProxy, text: str = "hello") -> str:
    """The reason for which Anthropic's SDK was answered by whom it was."""
    with anthropic.Anthropic(base_url=proxy.url, api_key="none-needed", max_retries=0) as sdk:
        answer = sdk.messages.with_raw_response.create(
            model="auto", max_tokens=50, messages=[{"role": "user", "content": text}]
        )
        return str(answer.headers["x-terraphim-reason"])


def ask_gpt(proxy: RunningProxy, text: str = "hello") -> str:
    """The same with OpenAI's SDK."""
    with openai.OpenAI(base_url=f"{proxy.url}/v1", api_key="none-needed", max_retries=0) as sdk:
        answer = sdk.chat.completions.with_raw_response.create(
            model="auto", messages=[{"role": "user", "content": text}]
        )
        return str(answer.headers["x-terraphim-reason"])
