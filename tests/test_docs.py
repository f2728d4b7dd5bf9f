"""The documentation says what the code says: each name once, nothing else, every link and block good."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from documents import DOCS, Block, anchors, blocks, codes, documents, keys, links, table
from exchanges import full_exchange
from facts import ROOT
from pydantic import BaseModel

from core.config_file import parse
from core.decision_headers import decision_headers
from core.exchange import Target
from core.presets import key_variables
from core.request_line import log_fields
from core.resilience import TABLE, UNWELL, Action
from core.rolegraph import Finding, build_taxonomy, examples, lint_report, parser
from core.routing.runtime import SCENARIOS
from core.schema import Settings
from core.sections import SecretRef
from core.telemetry import SPAN_FIRST_CONTENT, SPAN_STEP, Attribute
from core.transformers import TRANSFORMERS
from core.transformers.base import ALL
from prove.promises import PROMISES
from wasm_host import abi, hardening, manifest
from wasm_host.answer import judge

CONFIGURATION, OPERATIONS, RULES = DOCS / "configuration.md", DOCS / "operations.md", DOCS / "rules.md"
TARGET = Target("anthropic", "claude-sonnet-4-5")


def all_blocks(*languages: str) -> list[Block]:
    return [block for path in documents() for block in blocks(path, *languages)]


# Settings


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(path, field) of every setting: NAME and MODEL stand for the keys of mappings, [] for an array of tables."""
    for name, field in model.model_fields.items():
        if field.exclude:
            continue
        path = f"{prefix}{name}"
        inner = section_in(field.annotation)
        if inner is None:
            yield (f"{path}.NAME" if name == "rules" else path), field
        else:
            keyed = "[]" if name == "keys" else ".MODEL" if name == "models" else ".NAME"
            yield from leaves(inner, f"{path}." if inner in (field.annotation,) else f"{path}{keyed}.")


def section_in(annotation: Any) -> type[BaseModel] | None:
    """The table that a setting is, or that it is a list or a mapping of."""
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel) and part is not SecretRef:
            return part
    return None


def default_text(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None:
        return "none"
    return f"`{msgspec.json.encode(value).decode().replace(',', ', ')}`"


def test_every_setting_is_documented_once_with_its_default() -> None:
    documented = {row[0].strip("`"): row[2] for row in table(CONFIGURATION, "setting")}
    assert len(documented) == len(table(CONFIGURATION, "setting"))
    folders = {"plugins.dir": "see [paths](#paths)", "taxonomy.dir": "see [paths](#paths)"}
    assert documented == {path: default_text(field) for path, field in leaves(Settings)} | folders


def test_every_variable_of_the_environment_is_documented_once() -> None:
    named = keys(CONFIGURATION, "variable")
    sources = "\n".join(path.read_text() for path in (ROOT / "core").rglob("*.py"))
    read = set(re.findall(r'"((?:TERRAPHIM|XDG|OLLAMA)_[A-Z]+(?:_HOME)?)"', sources)) | set(key_variables().values())
    assert sorted(named) == sorted(read | {"TERRAPHIM_SECTION__KEY"})


def test_every_transformer_is_documented_once_with_its_dialects_and_options() -> None:
    rows = table(DOCS / "transformers.md", "transformer")
    assert [row[0].strip("`") for row in rows] == list(TRANSFORMERS)
    for name, said_dialects, said_options, _ in rows:
        transformer = TRANSFORMERS[name.strip("`")]
        dialects = list(transformer.dialects)
        assert said_dialects == "all" if dialects == list(ALL) else codes(said_dialects) == dialects, name
        options = transformer.options
        assert said_options == "any" if options is None else codes(said_options) == list(options.__struct_fields__), (
            name
        )


def test_every_scenario_is_documented_in_its_order() -> None:
    assert [row[0] for row in table(CONFIGURATION, "scenario")] == [name for name, _ in SCENARIOS]


def test_every_kind_of_failure_is_documented_with_what_follows() -> None:
    words = {
        Action.KEY: "the next key",
        Action.WAIT: "a short wait",
        Action.RETRY: "once more",
        Action.NEXT: "the next target",
        Action.STOP: "error",
    }
    rows = table(OPERATIONS, "failure")
    assert {row[0].strip("`"): row[2] for row in rows} == {
        kind: ", ".join(words[action] for action in actions) for kind, actions in TABLE.items()
    }
    assert {row[0].strip("`"): row[3].startswith("yes") for row in rows} == {kind: kind in UNWELL for kind in TABLE}
    assert [row[0].strip("`") for row in rows] == list(TABLE)


# Names that leave the proxy


def test_every_header_is_documented_once() -> None:
    sent = [name.decode() for name, _ in decision_headers(full_exchange())]
    assert keys(OPERATIONS, "header") == sent


def test_every_field_of_a_log_line_is_documented_once() -> None:
    fields = set(log_fields(full_exchange(), 1.0)) - {"event"}
    assert sorted(keys(OPERATIONS, "field")) == sorted(fields)


def test_every_attribute_and_event_of_a_span_is_documented_once() -> None:
    assert sorted(keys(OPERATIONS, "attribute")) == sorted(Attribute)
    assert sorted(keys(OPERATIONS, "span event")) == sorted([SPAN_FIRST_CONTENT, SPAN_STEP])


def test_every_log_event_is_documented_once() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "core").rglob("*.py"))
    events = set(re.findall(r'"event": "([a-z_]+)"', sources))
    outcomes = re.findall(r'_announce\([^)]*, "([a-z]+)"\)', sources)
    assert sorted(keys(OPERATIONS, "event")) == sorted(events | {f"snapshot_{outcome}" for outcome in outcomes})


def test_every_layer_around_a_worker_is_documented_once() -> None:
    rows = {row[0].strip("`"): row[1] for row in table(DOCS / "security.md", "layer")}
    assert list(rows) == list(hardening.LACKS)
    assert f"{hardening.ADDRESS_SPACE >> 30} GiB of addresses, {hardening.DESCRIPTORS} descriptors" in rows["limits"]


# The contract of rules


def test_exports_imports_and_outcomes_are_documented_once() -> None:
    documented = {codes(row[0])[0]: row[1] for row in table(RULES, "export")}
    assert documented == {abi.MEMORY: "memory"} | {
        name: signature_text(signature) for name, signature in (abi.REQUIRED_EXPORTS | abi.OPTIONAL_EXPORTS).items()
    }
    assert (
        f"exports `memory` and `{abi.START}`, type {signature_text(abi.COMMAND_EXPORTS[abi.START])}"
        in RULES.read_text()
    )
    for (module, name), signature in abi.ALLOWED_IMPORTS.items():
        assert f"`{module}.{name}`, type {signature_text(signature)}" in RULES.read_text()
    assert keys(RULES, "code") == list(abi.OUTCOMES)


def test_every_function_of_wasi_is_documented_once() -> None:
    """By its name, or else by its family."""
    named = [name for row in table(RULES, "WASI function") for name in codes(row[0])]
    assert len(named) == len(set(named))
    families = [name.removesuffix("*") for name in named if name.endswith("*")]
    rest = [name for name in abi.WASI_IMPORTS if name not in named]
    assert {name for name in named if not name.endswith("*")} == abi.WASI_IMPORTS.keys() - set(rest)
    assert all(sum(name.startswith(family) for family in families) == 1 for name in rest)
    assert all(any(name.startswith(family) for name in rest) for family in families)


def signature_text(signature: abi.Signature) -> str:
    params, results = ", ".join(signature.params), ", ".join(signature.results)
    return f"({params}) -> ({results})"


def test_every_limit_is_documented_once_with_its_value() -> None:
    rows = table(RULES, "limit")
    settable = {row[0].strip("`"): (int(row[1]), int(row[2])) for row in rows if len(row) == 4}
    assert settable == {name: tuple(limit) for name, limit in abi.LIMITS.items()}
    others = {
        "VERSION",
        "KIB",
        "MIB",
        "PAGE",
        "LAST_USER_DEFAULT",
        "COMPILE_NICENESS",
        "SCORE_MAX",
        "MESSAGE",
        "FAIL_STATUS",
    }
    fixed = {name: value for name, value in vars(abi).items() if name.isupper() and type(value) is int}
    documented = {row[0].strip("`"): int(row[1]) for row in rows if len(row) == 3}
    assert documented == {name: value for name, value in fixed.items() if name not in others}
    assert len(rows) == len(settable) + len(documented)
    text = RULES.read_text()
    for said in (
        f"0 to {abi.SCORE_MAX}",
        f"at most {abi.MESSAGE} characters",
        f"first {abi.LAST_USER_DEFAULT} characters",
    ):
        assert said in text
    assert "status " + ", ".join(map(str, abi.DENY_STATUSES[:-1])) + f" or {abi.DENY_STATUSES[-1]}" in text


def test_every_key_of_a_manifest_is_documented_once_with_its_default() -> None:
    defaults = msgspec.to_builtins(manifest.Settings())
    defaults["name"] = defaults.pop("title")
    words = {"routes": "all targets", "input": "the default request", "limits": "the defaults"}
    documented = {row[0].strip("`"): row[1] for row in table(RULES, "key")}
    assert documented == {
        name: words.get(name) or f"`{msgspec.json.encode(value).decode()}`" for name, value in defaults.items()
    }
    assert len(table(RULES, "key")) == len(documented)


def test_the_request_is_the_contracts_example() -> None:
    [request] = [block for block in blocks(RULES, "json") if '"abi"' in block.text]
    assert msgspec.json.decode(request.text) == abi.EXAMPLE
    assert list(msgspec.json.decode(request.text)["request"]) == list(abi.EXAMPLE["request"])


def test_the_answers_are_legal() -> None:
    [answers] = [block for block in blocks(RULES, "json") if '"abi"' not in block.text]
    settings = manifest.Settings(allow_deny=True, tags={"team": ("a",)})
    lines = answers.text.splitlines()
    assert [judge(line.encode(), settings, frozenset({str(TARGET)}))["code"] for line in lines] == [
        "route", "abstain", "deny", "error",
    ]  # fmt: skip


# The taxonomy


def test_every_directive_is_documented_once() -> None:
    text = Path(parser.__file__).read_text()
    [readers] = re.findall(r"_READERS: .*?^}", text, re.MULTILINE | re.DOTALL)
    read = set(re.findall(r'"([a-z_]+:{2,3})"', readers)) - {"type::"}  # which only warns
    rows = table(DOCS / "taxonomy.md", "directive")
    also = [code for row in rows for code in re.findall(r"Also `([a-z_]+::)`", row[2])]
    assert sorted(keys(DOCS / "taxonomy.md", "directive") + also) == sorted(read)


def test_every_kind_of_finding_is_documented_once() -> None:
    said = re.search(r"`kind` is ([a-z, ]+) or ([a-z]+)", Finding.__doc__ or "")
    assert said is not None
    assert [row[0] for row in table(DOCS / "taxonomy.md", "kind")] == [*said[1].split(", "), said[2]]


def test_the_example_of_a_concept_is_sound() -> None:
    [block] = blocks(DOCS / "taxonomy.md", "markdown")
    taxonomy = build_taxonomy([("use_a_local_model.md", block.text)])
    assert taxonomy.problems == ()
    assert lint_report(taxonomy, targets=["ollama,qwen3:8b"]) == []
    report = examples.test_report(taxonomy)
    assert (report.checked, report.failures) == (2, ())


# Promises


def test_every_promise_is_documented_once() -> None:
    assert [row[0].strip("`") for row in table(DOCS / "security.md", "promise")] == list(PROMISES)


# Dependencies


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def owners(found: list[str], named: list[str]) -> list[str]:
    """The importing modules, those in a folder that is named (`folder/`) as that folder."""
    folders = [name for name in named if name.endswith("/")]
    return sorted({next((folder for folder in folders if path.startswith(folder)), path) for path in found})


def test_every_dependency_is_documented_once_with_its_importers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    rows = table(DOCS / "dependencies.md", "dependency")
    names = [re.split(r"[^a-zA-Z0-9_-]", entry)[0] for entry in project["dependencies"]]
    assert [row[0].strip("`") for row in rows] == names
    modules = {"pyahocorasick": "ahocorasick", "toktok-rs": "toktok"}
    sources = [path for package in ("core", "wasm_host") for path in sorted((ROOT / package).rglob("*.py"))]
    imported = {path.relative_to(ROOT).as_posix(): imports(path) for path in sources}
    for name, _, _, importers in rows:
        module = modules.get(name.strip("`"), name.strip("`").replace("-", "_"))
        found = [path for path, modules_of in imported.items() if module in modules_of]
        if importers.startswith("by name"):
            [user] = codes(importers)
            assert (found, module in (ROOT / user).read_text()) == ([], True), name
        elif importers == "most modules":
            assert len(found) > 20, name
        else:
            assert owners(found, codes(importers)) == codes(importers), name


def test_every_extra_is_documented_once_with_its_importers() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    rows = [[cell.strip("`") for cell in row] for row in table(DOCS / "dependencies.md", "extra")]
    named = [(extra, re.split(r"[^a-zA-Z0-9_-]", entry)[0]) for extra, entries in extras.items() for entry in entries]
    assert [(extra, dependency) for extra, dependency, *_ in rows] == named
    sources = [path for package in ("core", "wasm_host") for path in (ROOT / package).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix() for path in sources if "opentelemetry" in imports(path)}
    assert found == {row[-1] for row in rows}


# Links and blocks


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_and_anchors_lead_somewhere(path: Path) -> None:
    for target, anchor in links(path):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target}#{anchor}"


@pytest.mark.parametrize("block", all_blocks("toml"), ids=str)
def test_toml_blocks_are_what_they_seem(block: Block) -> None:
    data = tomllib.loads(block.text)
    if "rule" in data or "policy" in data:
        _, notes = manifest.merge({}, [(str(block), data)])
        assert notes == ()
        return
    text = block.text
    if "providers" not in data:
        text += "[providers.anthropic]\n"
    if "routing" not in data:
        text += '[routing]\ndefault = "anthropic,claude-sonnet-4-6"\n'
    for name, rule in parse(text, block.path).rules.items():
        _, notes = manifest.merge(rule, [])
        assert notes == (), name
