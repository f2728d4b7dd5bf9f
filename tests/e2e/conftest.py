"""The real program, started once for many tests where they do not disturb each other."""

from collections.abc import Iterator

import pytest
from configs import write_config
from proxy import RunningProxy, running
from upstream import Upstream
from upstream import running as upstream_running


@pytest.fixture(scope="session")
def session_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TERRAPHIM_DISCOVERY": "off"}


@pytest.fixture(scope="session")
def embedded(session_env: dict[str, str]) -> Iterator[RunningProxy]:
    """A proxy as a new user starts it: no key, no configuration."""
    with running(session_env) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def fake() -> Iterator[Upstream]:
    with upstream_running() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def configured(
    fake: Upstream, session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    """A proxy in front of `fake`: provider `one` speaks Anthropic's dialect, `two` OpenAI's."""
    config = write_config(tmp_path_factory.mktemp("config"), fake.url)
    with running({**session_env, "ONE_KEY": "sk-upstream-canary"}, "--config", str(config)) as proxy:
        yield proxy
