import subprocess
import sys

import pytest
from exchanges import full_exchange

from core.exchange import Exchange
from core.traces import WELL_AFTER_S, Outage, Traces, secrets_of, wanted

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("env", "on", "why"),
    [
        ({}, False, ""),
        ({"OTEL_SERVICE_NAME": "x"}, False, ""),
        (ENDPOINT, True, ""),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}, True, ""),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True, ""),
        ({"OTEL_TRACES_EXPORTER": "OTLP "}, True, ""),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True, ""),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "true"}, False, ""),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "false"}, True, ""),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False, ""),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "zipkin"}, False, "OTEL_TRACES_EXPORTER"),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, False, "http/protobuf"),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_SDK_DISABLED": "true"}, False, ""),
        (
            ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
            True,
            "",
        ),
    ],
)
def test_when_traces_are_wanted(env: dict[str, str], on: bool, why: str) -> None:
    found, said = wanted(env)
    assert found is on
    assert why in said
    assert bool(said) is bool(why)


def test_what_the_collector_is_shown_is_secret() -> None:
    env = {"OTEL_EXPORTER_OTLP_HEADERS": "api-key=one=1, x=two", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "y=three"}
    assert secrets_of(env) == ["three", "one=1", "two"]
    assert secrets_of({}) == []


class Said:
    def __init__(self) -> None:
        self.lines: list[dict[str, object]] = []
        self.counts: list[tuple[str, int]] = []

    def log(self, fields: dict[str, object], level: str) -> None:
        self.lines.append(fields | {"level": level})

    def count(self, outcome: str, count: int) -> None:
        self.counts.append((outcome, count))


@pytest.fixture
def said() -> Said:
    return Said()


def test_without_the_extra_one_line_says_what_to_do(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "core.otel", None)
    traces = Traces(ENDPOINT, said.log)
    exchange = Exchange("req_1", "/v1/messages", "anthropic")
    assert traces.begin("POST", {}, exchange) is None
    traces.end(exchange, 1.0)
    traces.close()
    [line] = said.lines
    assert (line["event"], line["level"]) == ("traces_off", "warning")
    assert "pip install 'terraphim-llm-proxy[otel]'" in str(line["why"])


def test_an_address_that_is_none_is_a_line(said: Said) -> None:
    traces = Traces({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://[::1"}, said.log)
    assert traces.begin("POST", {}, Exchange("req_1", "/v1/messages", "anthropic")) is None
    assert [(line["event"], line["level"]) for line in said.lines] == [("traces_off", "warning")]


def test_propagators_that_are_not_installed_are_a_line(clean_env: dict[str, str]) -> None:
    """OpenTelemetry looks for them while it is imported."""
    code = "import os; from core.traces import Traces; Traces(os.environ, lambda fields, level: print(fields))"
    env = clean_env | ENDPOINT | {"OTEL_PROPAGATORS": "nobody"}
    command = [sys.executable, "-I", "-c", code]
    told = subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=60).stdout
    assert "traces_off" in told
    assert "look at the OTEL_* variables" in told


def test_without_a_word_in_the_environment_nothing_is_loaded_and_nothing_said(said: Said) -> None:
    before = set(sys.modules)
    traces = Traces({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, said.log)
    assert traces.begin("POST", {}, Exchange("req_1", "/v1/messages", "anthropic")) is None
    assert not {name for name in set(sys.modules) - before if name.startswith("opentelemetry")}
    assert said.lines == []


def test_a_fault_of_the_library_fails_no_request_and_is_said_once(said: Said) -> None:
    words = "the user's words"

    class Broken:
        def begin(self, *_: object, **__: object) -> None:
            raise RuntimeError(words)

    traces = Traces({}, said.log)
    traces._otel = Broken()  # type: ignore[assignment]
    for _ in range(3):
        assert traces.begin("POST", {}, full_exchange()) is None
    [line] = said.lines
    assert (line["event"], line["type"]) == ("bug", "RuntimeError")
    assert words not in str(line)


def test_a_loss_is_said_once_and_so_is_its_end(said: Said) -> None:
    now = 1000.0
    watch = Outage(said.log, said.count, lambda: now)
    watch.count("exported", 5)
    for _ in range(3):
        watch.count("lost", 2)
    watch.count("exported", 1)  # one batch gets through
    now += WELL_AFTER_S - 1
    watch.count("lost", 1)
    watch.count("exported", 1)
    assert [line["event"] for line in said.lines] == ["traces_lost"]
    now += WELL_AFTER_S
    watch.count("exported", 1)
    watch.count("exported", 1)
    assert [(line["event"], line.get("lost")) for line in said.lines] == [
        ("traces_lost", None),
        ("traces_recovered", 7),
    ]
    watch.count("lost", 1)
    assert [line["event"] for line in said.lines][2:] == ["traces_lost"]
    assert sum(count for outcome, count in said.counts if outcome == "lost") == 8
    watch.count("lost", 0)
    assert len(said.lines) == 3
