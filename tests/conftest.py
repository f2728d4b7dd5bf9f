"""Fixtures for everybody."""

import os
from collections.abc import Iterator
from pathlib import Path

import forks
import httpx
import hypothesis
import pytest
from configs import write_config
from proxy import RunningProxy, running
from redis_server import RedisServer, redis_running
from upstream import Upstream
from upstream import running as upstream_running

# The same examples each time, so that a red run is the change's fault; HYPOTHESIS_PROFILE=search looks for new ones.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# httpx gives up after 5 s, which on a busy machine is nobody's fault; a hang still ends.
for _clock in ("connect", "read", "write", "pool"):
    setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, _clock, 30.0)


@pytest.fixture(scope="session", autouse=True)
def _forks() -> Iterator[None]:
    """`proxy.running` and `command.Cli` fork what they start, unless they are told not to."""
    with forks.serving():
        yield


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder for all: a module that many tests bring along is compiled once."""
    return tmp_path_factory.mktemp("cache")


def _environment(home: Path, artifacts: Path) -> dict[str, str]:
    """The whole environment of a process that a test starts: nothing of this machine's but the path to programs."""
    return {
        "HOME": str(home), "PATH": os.defpath, "LANG": "C.UTF-8", "TERRAPHIM_DISCOVERY": "off",
        "XDG_CACHE_HOME": str(artifacts),
    }  # fmt: skip


@pytest.fixture
def clean_env(tmp_path: Path, artifacts: Path) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir()
    return _environment(home, artifacts)


@pytest.fixture(scope="session")
def session_env(tmp_path_factory: pytest.TempPathFactory, artifacts: Path) -> dict[str, str]:
    return _environment(tmp_path_factory.mktemp("home"), artifacts)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A fake provider of the test's own."""
    with upstream_running() as fake:
        yield fake


@pytest.fixture(scope="module")
def fake() -> Iterator[Upstream]:
    """A fake provider of the module's."""
    with upstream_running() as upstream:
        yield upstream


@pytest.fixture(autouse=True)
def _forgotten(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test told its module's provider to do and nobody asked for is not the next test's."""
    yield
    if isinstance(fake := request.node.funcargs.get("fake"), Upstream):
        fake.unscript()


@pytest.fixture(scope="session")
def embedded(session_env: dict[str, str]) -> Iterator[RunningProxy]:
    """A proxy as a new user starts it: no key, no configuration."""
    with running(session_env, fresh=True) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def configured(
    fake: Upstream, session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    """A proxy in front of `fake`: provider `one` speaks Anthropic's dialect, `two` OpenAI's."""
    config = write_config(tmp_path_factory.mktemp("config"), fake.url)
    with running({**session_env, "ONE_KEY": "sk-upstream-canary"}, "--config", str(config)) as proxy:
        yield proxy


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A real Redis of the test's own."""
    with redis_running(tmp_path) as server:
        yield server
