from typing import Any

from facts import settings

from core.restart import AT_START, NAMES, problems, waiting
from core.schema import ServerSettings


def served(**server: Any) -> Any:
    return settings().model_copy(update={"server": ServerSettings(**server)})


def test_what_waits_for_a_start_is_named_with_what_is_in_force() -> None:
    assert waiting(served(), served()) == {}
    assert waiting(served(), served(drain_s=1)) == {}
    assert waiting(served(port=1), served(port=2)) == {"server.port": (1, 2)}
    both = waiting(served(), served(host="::1", port=2))
    assert list(both) == ["server.host", "server.port"]
    assert waiting(served(), served(workers="auto")) == {"server.workers": (1, "auto")}
    [problem] = problems(served(port=1), served(port=2), "c.toml")
    assert str(problem) == "c.toml: server.port = 2 counts from the next start; until then it is 1 (restart to use it)"


def test_they_are_settings() -> None:
    assert {f"{table}.{key}" for table, key in AT_START} == NAMES
    for table, key in AT_START:
        assert hasattr(getattr(settings(), table), key)
