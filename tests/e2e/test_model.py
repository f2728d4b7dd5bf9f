"""A real model answers through the proxy: both fronts, both dialects behind, streamed and not."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest
from facts import ROOT
from proxy import RunningProxy, running

pytestmark = pytest.mark.model

CONFIG = """\
[providers.native]
dialect = "anthropic"
base_url = "{url}"
allow_private = true
models = {{ smollm2 = {{ context_window = 4096, thinking = false, images = false }} }}
[providers.chat]
dialect = "openai"
base_url = "{url}/v1"
allow_private = true
models = {{ smollm2 = {{ context_window = 4096, thinking = false, images = false }} }}
[routing]
default = "native,smollm2"
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
"""
#: The current SDK has no argument for it.
STEADY = {"temperature": 0}
QUESTION = "What is the capital of France? Answer with the name of the city."


@pytest.fixture(scope="module")
def proxy(session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    command = [sys.executable, str(ROOT / "tests" / "model_server.py")]
    with subprocess.Popen(
        command, env=session_env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout
        assert server.stdin
        url = server.stdout.readline().strip()
        assert url, "the model server did not start; make test-model installs what it needs"
        config: Path = tmp_path_factory.mktemp("model") / "config.toml"
        config.write_text(CONFIG.format(url=url))
        for name in ("plugins", "taxonomy"):
            (config.parent / name).mkdir()
        with running(session_env, "--config", str(config)) as started:
            yield started
        server.stdin.close()


@pytest.mark.parametrize("target", ["native,smollm2", "chat,smollm2"])
def test_anthropics_front(proxy: RunningProxy, target: str) -> None:
    with anthropic.Anthropic(base_url=proxy.url, api_key="none", timeout=120) as client:
        message = client.messages.create(
            model=target, max_tokens=24, extra_body=STEADY, messages=[{"role": "user", "content": QUESTION}]
        )
        assert message.content[0].type == "text"
        assert "Paris" in message.content[0].text
        assert message.usage.output_tokens > 0
        with client.messages.stream(
            model=target, max_tokens=24, extra_body=STEADY, messages=[{"role": "user", "content": QUESTION}]
        ) as stream:
            assert "Paris" in stream.get_final_text()


@pytest.mark.parametrize("target", ["native,smollm2", "chat,smollm2"])
def test_openais_front(proxy: RunningProxy, target: str) -> None:
    with openai.OpenAI(base_url=f"{proxy.url}/v1", api_key="none", timeout=120) as client:
        answer = client.chat.completions.create(
            model=target, max_tokens=24, temperature=0, messages=[{"role": "user", "content": QUESTION}]
        )
        assert "Paris" in (answer.choices[0].message.content or "")
        assert answer.usage
        assert answer.usage.completion_tokens > 0
        chunks = client.chat.completions.create(
            model=target, max_tokens=24, temperature=0, stream=True, messages=[{"role": "user", "content": QUESTION}]
        )
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert "Paris" in text
