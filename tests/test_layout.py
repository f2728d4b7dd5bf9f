"""The shape of the tree: tests mirror sources, files and functions are small, the pure core is pure."""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from facts import ROOT

PACKAGES = ("core", "wasm_host")
FILE_LINES, FUNCTION_LINES = 400, 60

#: Tests without a source file of their name, and why.
NO_SOURCE = {
    "wasm_host/test_conformance.py": "runs the modules in wasm_host/conformance, which are text",
}
#: Sources without a test file of their name, and the tests that show them instead.
SHOWN_ELSEWHERE = {
    "core/dialects/anthropic_*.py": "tests/core/dialects/test_anthropic.py",
    "core/dialects/gemini_*.py": "tests/core/dialects/test_gemini.py",
    "core/dialects/ollama_*.py": "tests/core/dialects/test_ollama.py",
    "core/dialects/openai_*.py": "tests/core/dialects/test_openai_chat.py",
    "core/dialects/responses_*.py": "tests/core/dialects/test_openai_responses.py",
    "core/dialects/base.py": "tests/test_golden_requests.py",
    "core/dialects/frames.py": "tests/core/dialects/test_relay.py",
    "core/dialects/provider_errors.py": "tests/test_golden_answers.py",
    "core/dialects/wire_decoder.py": "tests/core/dialects/test_relay.py",
    "core/dialects/readable.py": "tests/test_golden_requests.py",
    "core/dialects/stops.py": "tests/test_golden_answers.py",
    "core/dialects/subagent.py": "tests/test_golden_requests.py",
    "core/dialects/tool_ids.py": "tests/test_golden_requests.py",
    "core/dialects/usage.py": "tests/test_golden_answers.py",
    "wasm_host/capi.py": "tests/wasm_host/test_native.py",
    "wasm_host/public.py": "tests/wasm_host/test_paths.py",
    "core/app.py": "tests/e2e/test_first_start.py",
    "core/web/admin.py": "tests/test_docs.py",
    "core/web/body.py": "tests/core/web/test_admin_taxonomy.py",
    "core/asking.py": "tests/core/test_pipeline.py",
    "core/call.py": "tests/e2e/test_routing.py",
    "core/client_body.py": "tests/e2e/test_bad_input.py",
    "core/finding.py": "tests/core/test_doctor_clients.py",
    "core/cli_top_live.py": "tests/core/test_cli_top.py",
    "core/cli_admin.py": "tests/core/test_cli_top.py",
    "core/cli_background.py": "tests/core/test_cli_run.py",
    "core/cli_clients.py": "tests/core/test_cli_run.py",
    "core/cli_chosen.py": "tests/core/test_cli_records.py",
    "core/cli_common.py": "tests/core/test_cli.py",
    "core/cli_explain.py": "tests/core/test_cli.py",
    "core/cli_transformers.py": "tests/core/transformers/test_chain.py",
    "core/transformers/*.py": "tests/test_golden_transformers.py",
    "core/cli_rules.py": "tests/core/test_cli_rules_app.py",
    "core/data_plane.py": "tests/e2e/test_bad_input.py",
    "core/errors.py": "tests/e2e/test_bad_input.py",
    "core/exchange.py": "tests/core/test_exchange.py",
    "core/explain/looks.py": "tests/core/explain/test_phases.py",
    "core/gathering.py": "tests/core/test_pipeline.py",
    "core/figures.py": "tests/core/web/test_admin_providers.py",
    "core/playground.py": "tests/core/web/test_admin_route.py",
    "core/shown_limits.py": "tests/core/web/test_admin_providers.py",
    "core/shown_rules.py": "tests/core/web/test_admin_rules.py",
    "core/shown_taxonomy.py": "tests/core/web/test_admin_taxonomy.py",
    "core/trial.py": "tests/core/web/test_admin_route.py",
    "core/banner.py": "tests/e2e/test_first_start.py",
    "core/starting.py": "tests/e2e/test_workers.py",
    "core/group/hub.py": "tests/core/group/test_stores.py",
    "core/group/messages.py": "tests/core/group/test_line.py",
    "core/group/superv*.py": "tests/e2e/test_workers.py",
    "core/state/standing_shared.py": "tests/core/state/test_standing_redis.py",
    "core/http_server.py": "tests/e2e/test_stopping.py",
    "core/keeping.py": "tests/e2e/test_first_start.py",
    "core/lab/traffic/*.py": "tests/core/lab/traffic/test_weave.py",
    "core/messages.py": "tests/test_golden_requests.py",
    "core/image_rounds.py": "tests/e2e/test_images_asked_about.py",
    "core/otel.py": "tests/e2e/test_collected_traces.py",
    "core/pipeline.py": "tests/e2e/test_routing.py",
    "core/rolegraph/model.py": "tests/core/rolegraph/test_load.py",
    "core/rolegraph/words.py": "tests/core/rolegraph/test_trigger.py",
    "core/routing/driver.py": "tests/e2e/test_rules_while_serving.py",
    "core/routing/proposal.py": "tests/core/routing/test_decide.py",
    "core/schema.py": "tests/core/test_config_file.py",
    "core/schema_observe.py": "tests/core/test_logs.py",
    "core/schema_rollout.py": "tests/core/test_config_file.py",
    "core/schema_state.py": "tests/core/test_config_file.py",
    "core/sections.py": "tests/core/test_config_file.py",
    "core/serving.py": "tests/core/test_cli.py",
    "core/state/ledger_*.py": "tests/core/state/test_ledger.py",
    "core/state/sessions.py": "tests/core/state/test_memory.py",
    "core/simulate.py": "tests/e2e/test_first_start.py",
    "wasm_host/linux.py": "tests/wasm_host/test_hardening.py",
    "wasm_host/process.py": "tests/wasm_host/test_pool.py",
}
#: The thin shell: everything else is called, and never waits.
ASYNC = {
    "core/app.py",
    "core/web/admin_events.py",
    "core/web/admin_feed.py",
    "core/playground.py",
    "core/web/admin_overview.py",
    "core/web/admin_providers.py",
    "core/web/admin_route.py",
    "core/web/admin_rules.py",
    "core/web/admin_taxonomy.py",
    "core/web/body.py",
    "core/web/door.py",
    "core/web/static.py",
    "core/asking.py",
    "core/budgeting.py",
    "core/cached_answers.py",
    "core/cli_explain.py",
    "core/client_body.py",
    "core/data_plane.py",
    "core/doctor_reach.py",
    "core/generation.py",
    "core/http1_cycle.py",
    "core/sending.py",
    "core/guarding.py",
    "core/group/line.py",
    "core/group/member.py",
    "core/group/stores.py",
    "core/group/supervising.py",
    "core/group/supervisor.py",
    "core/http_server.py",
    "core/keeping.py",
    "core/limiting.py",
    "core/metrics/scraping.py",
    "core/patience.py",
    "core/image_rounds.py",
    "core/pictures.py",
    "core/pipeline.py",
    "core/relaying.py",
    "core/routing/driver.py",
    "core/simulate.py",
    "core/state/background.py",
    "core/state/cache_memory.py",
    "core/state/cache_redis.py",
    "core/state/limits_redis.py",
    "core/state/budgets_redis.py",
    "core/state/memory.py",
    "core/state/redis.py",
    "core/state/redis_link.py",
    "core/state/redis_sessions.py",
    "core/state/sessions.py",
    "core/state/standing_redis.py",
    "core/streaming.py",
    "core/upstream/client.py",
    "core/upstream/connections.py",
    "core/upstream/fetching.py",
    "core/upstream/incoming.py",
    "core/upstream/provider_pool.py",
    "core/upstream/resolver.py",
    "wasm_host/host.py",
    "wasm_host/pool.py",
    "wasm_host/process.py",
    "wasm_host/timing.py",
    "core/web/site.py",
}


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text("utf-8")))


def tracked() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    command = [git, "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files", "-z"]
    files = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")
    return [path for file in files if file and (path := ROOT / file).is_file()]


def test_every_test_file_has_its_source() -> None:
    lonely = []
    for package in PACKAGES:
        for test in sorted((ROOT / "tests" / package).rglob("test_*.py")):
            relative = test.relative_to(ROOT / "tests")
            source = ROOT / relative.parent / relative.name.removeprefix("test_")
            if not source.exists() and relative.as_posix() not in NO_SOURCE:
                lonely.append(relative.as_posix())
    assert lonely == []


def test_every_source_file_has_its_test() -> None:
    untested = []
    for source in sources(*PACKAGES):
        relative = source.relative_to(ROOT)
        test = ROOT / "tests" / relative.parent / f"test_{relative.name}"
        elsewhere = [where for glob, where in SHOWN_ELSEWHERE.items() if relative.match(glob)]
        if relative.name != "__init__.py" and not test.exists() and not elsewhere:
            untested.append(relative.as_posix())
    assert untested == []


def test_the_exceptions_are_there() -> None:
    assert [glob for glob in SHOWN_ELSEWHERE if not list(ROOT.glob(glob))] == []
    assert [where for where in SHOWN_ELSEWHERE.values() if not (ROOT / where).exists()] == []
    assert [test for test in NO_SOURCE if not (ROOT / "tests" / test).exists()] == []


def test_files_and_functions_are_small() -> None:
    large = []
    for path in sources(*PACKAGES, "tests", "bench", "tools", "plugins"):
        if (lines := len(path.read_text("utf-8").splitlines())) > FILE_LINES:
            large.append(f"{name(path)}: {lines} lines")
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES:
                    large.append(f"{name(path)}:{node.lineno}: {node.name} has {length} lines")
    assert large == []


def test_only_the_shell_waits() -> None:
    waits = {
        name(path) for path in sources(*PACKAGES) if any(isinstance(node, ast.AsyncFunctionDef) for node in nodes(path))
    }
    assert waits == ASYNC


def test_only_settings_reads_the_environment() -> None:
    readers = set()
    for path in sources(*PACKAGES):
        for node in nodes(path):
            named = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
            attribute = node.attr if isinstance(node, ast.Attribute) and named else ""
            imported = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
            if {attribute, *imported} & {"environ", "environb", "getenv", "getenvb"}:
                readers.add(name(path))
    assert readers == {"core/settings.py"}


def test_no_file_names_a_registry_or_a_machine() -> None:
    # Spelled in two parts, so that this file keeps its own rule.
    hosts = (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("crates", "io"))
    registries = "|".join(rf"\b{host}[.]{domain}\b" for host, domain in (*hosts, ("deb[.]debian", "org")))
    forbidden = re.compile(rf"{registries}|(?<![\w.$}}])/(?:home|work|root|Users)/\w+")
    found = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" in data:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            if match := forbidden.search(line):
                found.append(f"{name(path)}:{number}: {match[0]}")
    assert found == []
