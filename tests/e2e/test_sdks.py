"""The official SDKs through the proxy, with every provider's dialect behind it."""

from collections.abc import Callable, Iterator
from types import ModuleType

import anthropic_checks
import openai_checks
import pytest
import responses_checks
from configs import write_config
from proxy import RunningProxy, running
from upstream import Upstream
from upstream import running as upstream_running

MODULES: tuple[ModuleType, ...] = (anthropic_checks, openai_checks, responses_checks)
CHECKS = [
    pytest.param(check, id=f"{module.__name__.rpartition('.')[2]}-{check.__name__}")
    for module in MODULES
    for check in module.CHECKS
]


@pytest.fixture(scope="module", params=["anthropic", "openai", "openai-responses", "gemini", "ollama"])
def provider(
    request: pytest.FixtureRequest, session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Upstream, RunningProxy]]:
    """A proxy whose default provider speaks this dialect."""
    with upstream_running() as fake:
        config = write_config(tmp_path_factory.mktemp("config"), fake.url, one=request.param)
        text = config.read_text().replace('fallback = ["two,spare"]', "")
        config.write_text(text[: text.index("[routing.runtime]")])
        with running({**session_env, "ONE_KEY": "k"}, "--config", str(config)) as proxy:
            yield fake, proxy


@pytest.mark.parametrize("check", CHECKS)
def test_the_sdk_sees_no_proxy(check: Callable[[str, str], None], provider: tuple[Upstream, RunningProxy]) -> None:
    fake, proxy = provider
    before = len(fake.requests)
    check(proxy.url, "claude-sonnet-5")
    assert len(fake.requests) > before or "count_tokens" in check.__name__ or "models" in check.__name__
