import pytest

from core.limit_headers import duration, headers, retry, tightest, too_large
from core.limits import NEVER, Ask, Said, Taken


def ask(kind: str, limit: int, scope: str = "key") -> Ask:
    return Ask(scope, "laptop", kind, limit, 1, "limits")  # type: ignore[arg-type]


KINDS = Taken(
    (ask("requests", 600), ask("tokens", 1000), ask("input_tokens", 900), ask("concurrent", 5)),
    (Said(0, 599, 112), Said(0, 400, 36_000), Said(0, 300, 39_999), Said(0, 4, 0)),
)


def test_anthropics_clients_are_told_in_anthropics_headers() -> None:
    assert headers(tightest([KINDS]), "anthropic", 1_767_225_600.2) == {
        "anthropic-ratelimit-requests-limit": "600",
        "anthropic-ratelimit-requests-remaining": "599",
        "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:01Z",
        "anthropic-ratelimit-tokens-limit": "1000",
        "anthropic-ratelimit-tokens-remaining": "400",
        "anthropic-ratelimit-tokens-reset": "2026-01-01T00:00:37Z",
        "anthropic-ratelimit-input-tokens-limit": "900",
        "anthropic-ratelimit-input-tokens-remaining": "300",
        "anthropic-ratelimit-input-tokens-reset": "2026-01-01T00:00:41Z",
        "ratelimit-policy": '"requests";q=600;w=60, "tokens";q=1000;w=60, "input-tokens";q=900;w=60, '
        '"concurrent";q=5;qu="concurrent-requests"',
        "ratelimit": '"requests";r=599;t=1, "tokens";r=400;t=36, "input-tokens";r=300;t=40, "concurrent";r=4',
    }


@pytest.mark.parametrize("dialect", ["openai", "openai-responses"])
def test_openais_clients_are_told_in_openais_headers(dialect: str) -> None:
    told = headers(tightest([KINDS]), dialect, 0)
    assert {name: value for name, value in told.items() if name.startswith("x-")} == {
        "x-ratelimit-limit-requests": "600",
        "x-ratelimit-remaining-requests": "599",
        "x-ratelimit-reset-requests": "112ms",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "400",
        "x-ratelimit-reset-tokens": "36s",
    }
    assert not any(name.startswith("anthropic") for name in told)


def test_the_tightest_of_the_clients_own_limits_is_told() -> None:
    one = Taken(
        (ask("requests", 600), ask("requests", 60, "address"), ask("requests", 6, "target")),
        (Said(0, 599, 0), Said(0, 59, 0), Said(0, 5, 0)),
    )
    assert headers(tightest([one]), "openai", 0)["x-ratelimit-limit-requests"] == "60"


def test_nothing_is_left_of_what_refused() -> None:
    refused = Taken((ask("requests", 600), ask("tokens", 9)), (Said(120, 540, 6000), Said(0, 9, 0)))
    told = headers(tightest([refused]), "openai", 0)
    assert (told["x-ratelimit-remaining-requests"], told["x-ratelimit-remaining-tokens"]) == ("0", "9")


def test_without_limits_nothing_is_told() -> None:
    assert headers(tightest([]), "anthropic", 0) == {}


def test_who_is_refused_is_told_when_the_last_of_the_limits_lets_him_in() -> None:
    refused = [(ask("requests", 9), Said(120, 0, 0)), (ask("tokens", 9), Said(1001, 0, 0))]
    assert retry(refused) == {"retry-after": "2", "retry-after-ms": "1001"}
    assert too_large(refused) is None
    assert too_large([*refused, (ask("tokens", 5), Said(NEVER, 0, 0))]) == ask("tokens", 5)


@pytest.mark.parametrize(
    ("ms", "text"), [(0, "0s"), (12, "12ms"), (1000, "1s"), (1500, "1.5s"), (60_000, "1m0s"), (361_250, "6m1.25s")]
)
def test_durations_are_written_as_openai_does(ms: int, text: str) -> None:
    assert duration(ms) == text
