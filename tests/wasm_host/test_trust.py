"""The lock and signatures against everything that may happen to a file, loaded as the proxy loads it."""

import base64
import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from wasm_modules import ROUTE, answering, load, patient, running

from wasm_host import abi, audit, trust
from wasm_host.files import Unusable
from wasm_host.registry import load_file
from wasm_host.rule import Rule, RuleSet
from wasm_host.signature import SigningKey, message
from wasm_host.trust import LOCK_NAME, Policy, parse_lock, render_lock

QUIET, LOUD = running("(i64.const 0)"), answering(ROUTE)
MANIFEST = '[rule]\nversion = "1"\n'
HASH = "0" * 64


def locked(folder: Path) -> None:
    """Lock what is in the plugins folder."""
    plugins = folder / "plugins"
    (plugins / LOCK_NAME).write_bytes(render_lock(audit.lock_of(plugins)))


def key(number: int) -> SigningKey:
    return SigningKey(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


AUTHOR, STRANGER = key(1), key(2)
TRUSTING = Policy(public_keys=(AUTHOR.public,))
DEMANDING = Policy(public_keys=(AUTHOR.public,), require_signature=True)


def signed(module: str, by: SigningKey = AUTHOR) -> bytes:
    return by.sign(hashlib.sha256(module.encode()).digest())


def trusts(rules: RuleSet) -> dict[str, str]:
    return {rule.name: rule.trust for rule in rules.rules}


def said(rules: RuleSet) -> str:
    return "\n".join(f"{problem.path}: {problem.message} ({problem.hint})" for problem in rules.problems)


# The lock's text


def test_a_lock_is_a_line_a_file_in_the_order_of_names() -> None:
    lock = {"b.wat": "b" * 64, "a.wasm": "a" * 64, "a.toml": "c" * 64}
    text = render_lock(lock)
    assert parse_lock(text) == lock
    assert text.decode().splitlines()[1:] == [
        "version = 1", 'abi = "terraphim-rule/1"', "", "[files]",
        f'"a.toml" = "{"c" * 64}"', f'"a.wasm" = "{"a" * 64}"', f'"b.wat" = "{"b" * 64}"',
    ]  # fmt: skip
    assert text == render_lock(dict(reversed(lock.items())))


def lock_text(files: str = "", head: str = f'version = 1\nabi = "{abi.NAME}"\n') -> bytes:
    return f"{head}[files]\n{files}".encode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "version"),
        (b"\xff", "is not a lock"),
        (b"\0", "is not a lock"),
        (b"[" * 5000, "is not a lock"),
        (b"x = " + b"[" * 5000, "is not a lock"),
        (lock_text(head='version = 2\nabi = "terraphim-rule/1"\n'), "version"),
        (lock_text(head="version = 1\n"), "abi"),
        (lock_text(head='version = 1\nabi = "terraphim-rule/2"\n'), "terraphim-rule/2"),
        (lock_text(head=f'version = 1\nabi = "{abi.NAME}"\nalso = 1\n'), "also"),
        (lock_text(f'"a.wat" = "{HASH}"\n"a.wat" = "{HASH}"\n'), "is not a lock"),
        (lock_text('"a.wat" = 5\n'), "is not a lock"),
        *((lock_text(f'"{name}" = "{HASH}"\n'), "is no name of a rule's file")
          for name in ("../a.wat", "x/a.wat", "a.wat\\u0000", "a.wat\\n", "a\\n.wat", "A.wat", ".wat", "a.so", "",
                       "x" * 65 + ".wat")),
        *((lock_text(f'"a.wat" = "{digest}"\n'), "is not a SHA-256")
          for digest in ("", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 64 + "\\n", " " + "0" * 63)),
    ],
)  # fmt: skip
def test_what_is_not_exactly_a_lock_is_refused(text: bytes, words: str) -> None:
    with pytest.raises(Unusable) as caught:
        parse_lock(text)
    assert words in caught.value.message
    assert "rules lock" in caught.value.hint


@settings(patient, max_examples=50)
@given(st.one_of(st.binary(max_size=100), st.text(max_size=50).map(lock_text)))
def test_any_bytes_are_a_lock_or_refused(data: bytes) -> None:
    try:
        lock = parse_lock(data)
    except Unusable:
        return
    assert parse_lock(render_lock(lock)) == lock


# The lock in force


def test_what_is_locked_is_trusted_and_nothing_else_runs(tmp_path: Path) -> None:
    rules = load(tmp_path, {"a.wat": QUIET, "b.wat": LOUD, "b.toml": MANIFEST})
    assert trusts(rules) == {"a": "", "b": ""}
    locked(tmp_path)
    assert trusts(load(tmp_path, {})) == {"a": "locked", "b": "locked"}
    rules = load(tmp_path, {"c.wat": LOUD})
    assert trusts(rules) == {"a": "locked", "b": "locked"}
    digest = hashlib.sha256(LOUD.encode()).hexdigest()
    assert f"c.wat: the module (SHA-256 {digest}) is not in plugins.lock (review it, then run: terrap" in said(rules)


def test_trust_is_no_part_of_the_identity(tmp_path: Path) -> None:
    rules = load(tmp_path, {"a.wat": QUIET})
    locked(tmp_path)
    trusted = load(tmp_path, {}, previous=rules)
    assert (trusted.rules[0].trust, trusted.rules[0].compiled) == ("locked", rules.rules[0].compiled)
    assert trusted.identity() == rules.identity()
    assert load(tmp_path, {}, previous=trusted).rules[0] is trusted.rules[0]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.wat": QUIET + " "}, "the module has SHA-256"),
        ({"a.toml": MANIFEST + " "}, "a.toml has SHA-256"),
        ({"a.toml": ""}, "a.toml has SHA-256"),
        ({"a.toml": None}, "a.toml is gone, plugins.lock expects"),
        ({"a.wat": None, "a.wasm": QUIET}, "the module (SHA-256"),
    ],
)
def test_one_changed_byte_is_refused_and_the_good_version_serves(
    tmp_path: Path, files: dict[str, str | None], words: str
) -> None:
    load(tmp_path, {"a.wat": QUIET, "a.toml": MANIFEST})
    locked(tmp_path)
    good = load(tmp_path, {})
    for name, content in files.items():
        if content is None:
            (tmp_path / "plugins" / name).unlink()
    changed = {name: content for name, content in files.items() if content is not None}
    rules = load(tmp_path, changed, previous=good)
    assert rules.rules == good.rules
    assert words in said(rules)
    assert "its last good version keeps serving" in said(rules)
    assert load(tmp_path, {}).rules == ()


def test_a_manifest_that_appears_is_a_change(tmp_path: Path) -> None:
    load(tmp_path, {"a.wat": QUIET})
    locked(tmp_path)
    rules = load(tmp_path, {"a.toml": MANIFEST})
    assert rules.rules == ()
    assert "a.toml (SHA-256" in said(rules)


def test_a_rule_that_the_lock_no_longer_allows_stops(tmp_path: Path) -> None:
    first = load(tmp_path, {"a.wat": QUIET, "b.wat": LOUD})
    (tmp_path / "plugins" / "b.wat").rename(tmp_path / "b.wat")
    locked(tmp_path)
    (tmp_path / "b.wat").rename(tmp_path / "plugins" / "b.wat")
    second = load(tmp_path, {}, previous=first)
    assert trusts(second) == {"a": "locked"}
    assert "what served before is no longer trusted either" in said(second)


def test_a_lock_replaced_while_serving(tmp_path: Path) -> None:
    load(tmp_path, {"a.wat": QUIET})
    locked(tmp_path)
    first = load(tmp_path, {})
    second = load(tmp_path, {"a.wat": LOUD}, previous=first)
    assert second.rules == first.rules
    locked(tmp_path)
    third = load(tmp_path, {}, previous=second)
    assert trusts(third) == {"a": "locked"}
    assert third.rules[0].sha256 == hashlib.sha256(LOUD.encode()).hexdigest()
    assert third.problems == ()


def test_a_rolled_back_module_is_not_what_was_locked(tmp_path: Path) -> None:
    load(tmp_path, {"a.wat": LOUD, "a.wat.sig": signed(LOUD)})
    locked(tmp_path)
    older: dict[str, str | bytes] = {"a.wat": QUIET, "a.wat.sig": signed(QUIET)}
    assert load(tmp_path, older, policy=DEMANDING).rules == ()
    (tmp_path / "plugins" / LOCK_NAME).unlink()
    assert trusts(load(tmp_path, older, policy=DEMANDING)) == {"a": "signed"}


def break_lock(path: Path, how: str) -> None:
    text = path.read_bytes()
    path.unlink()
    match how:
        case "fifo":
            os.mkfifo(path)
        case "link":
            path.with_suffix(".real").write_bytes(text)
            path.symlink_to(path.with_suffix(".real"))
        case "dangling":
            path.symlink_to(path.parent / "nowhere")
        case "folder":
            path.mkdir()
        case "huge":
            path.write_bytes(text + b"#" * trust.LOCK_SIZE)
        case "half":
            path.write_bytes(text[:-40])
        case "open":
            path.write_bytes(text)
            path.chmod(0o666)


@pytest.mark.parametrize("how", ["fifo", "link", "dangling", "folder", "huge", "half", "open"])
def test_under_a_lock_that_cannot_be_read_nothing_new_runs(tmp_path: Path, how: str) -> None:
    load(tmp_path, {"a.wat": QUIET})
    locked(tmp_path)
    good = load(tmp_path, {})
    break_lock(tmp_path / "plugins" / LOCK_NAME, how)
    rules = load(tmp_path, {"b.wat": LOUD}, previous=good)
    assert trusts(rules) == {"a": ""}
    [problem] = rules.problems
    assert problem.path.endswith(LOCK_NAME)
    assert "what was loaded before keeps serving" in problem.message
    assert problem.hint
    assert load(tmp_path, {}).rules == ()


def test_a_required_lock(tmp_path: Path) -> None:
    policy = Policy(require_lock=True)
    rules = load(tmp_path, {"a.wat": QUIET}, policy=policy)
    assert rules.rules == ()
    assert "plugins.lock: is missing, and plugins.require_lock is set (review" in said(rules)
    locked(tmp_path)
    assert trusts(load(tmp_path, {}, policy=policy)) == {"a": "locked"}


def test_a_locked_module_that_is_gone_is_said(tmp_path: Path) -> None:
    load(tmp_path, {"a.wat": QUIET, "b.wat": QUIET})
    locked(tmp_path)
    (tmp_path / "plugins" / "b.wat").unlink()
    rules = load(tmp_path, {})
    assert trusts(rules) == {"a": "locked"}
    [problem] = rules.problems
    assert (problem.warning, problem.message) == (True, "is in plugins.lock and not in the folder")


# Signatures


def test_a_signature_by_a_known_key_is_trusted(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"a.wat": QUIET, "a.wat.sig": signed(QUIET), "b.wat": QUIET}
    assert trusts(load(tmp_path, files)) == {"a": "", "b": ""}
    assert trusts(load(tmp_path, {}, policy=TRUSTING)) == {"a": "signed", "b": ""}
    rules = load(tmp_path, {}, policy=DEMANDING)
    assert trusts(rules) == {"a": "signed"}
    assert "b.wat: is not signed (b.wat.sig is missing), and plugins.require_signature is set" in said(rules)
    locked(tmp_path)
    assert trusts(load(tmp_path, {}, policy=TRUSTING)) == {"a": "signed", "b": "locked"}


def wrong_signatures() -> list[Any]:
    good = signed(QUIET)
    raw = bytearray(base64.b64decode(good.split()[3]))
    raw[0] ^= 1
    prefix = good.rpartition(b" ")[0]
    private = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
    digest = hashlib.sha256(QUIET.encode()).digest()
    other_abi = base64.b64encode(private.sign(message(digest, "terraphim-rule/2")))
    forged = signed(QUIET, STRANGER).split()
    forged[2] = good.split()[2]
    return [
        pytest.param(prefix + b" " + base64.b64encode(raw) + b"\n", id="one bit"),
        pytest.param(signed(LOUD), id="of another module"),
        pytest.param(prefix + b" " + other_abi + b"\n", id="for another abi"),
        pytest.param(b" ".join(forged) + b"\n", id="by a stranger under the author's id"),
        pytest.param(good[:-5], id="truncated"),
        pytest.param(good + b"x", id="trailing bytes"),
        pytest.param(good + b" " * 2000, id="huge"),
        pytest.param(b"", id="empty"),
    ]


@pytest.mark.parametrize("signature", wrong_signatures())
@pytest.mark.parametrize("policy", [TRUSTING, DEMANDING], ids=["trusting", "demanding"])
def test_a_wrong_signature_is_refused_also_where_none_is_required(
    tmp_path: Path, signature: bytes, policy: Policy
) -> None:
    rules = load(tmp_path, {"a.wat": QUIET, "a.wat.sig": signature}, policy=policy)
    assert rules.rules == ()
    assert "a.wat: a.wat.sig " in said(rules)
    assert trusts(load(tmp_path, {})) == {"a": ""}


def test_a_changed_module_no_longer_has_its_signature(tmp_path: Path) -> None:
    good = load(tmp_path, {"a.wat": QUIET, "a.wat.sig": signed(QUIET)}, policy=DEMANDING)
    rules = load(tmp_path, {"a.wat": QUIET + " "}, previous=good, policy=DEMANDING)
    assert rules.rules == good.rules
    assert "is not the one that key" in said(rules)


def test_an_unknown_key_is_no_fault_unless_a_signature_is_required(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"a.wat": QUIET, "a.wat.sig": signed(QUIET, STRANGER)}
    assert trusts(load(tmp_path, files, policy=TRUSTING)) == {"a": ""}
    rules = load(tmp_path, {}, policy=DEMANDING)
    assert rules.rules == ()
    assert "is by key" in said(rules)
    assert "not one of plugins.public_keys" in said(rules)


@pytest.mark.parametrize("how", ["fifo", "link", "folder", "open"])
def test_a_signature_file_that_is_none(tmp_path: Path, how: str) -> None:
    load(tmp_path, {"a.wat": QUIET, "a.wat.sig": signed(QUIET)})
    break_lock(tmp_path / "plugins" / "a.wat.sig", how)
    assert load(tmp_path, {}, policy=DEMANDING).rules == ()


def test_a_signature_goes_with_the_bytes_and_not_with_the_name(tmp_path: Path) -> None:
    load(tmp_path, {"a.wat": QUIET, "a.wat.sig": signed(QUIET)})
    rules = load(tmp_path, {"b.wat": QUIET, "b.wat.sig": signed(QUIET)}, policy=DEMANDING)
    assert trusts(rules) == {"a": "signed", "b": "signed"}


def test_a_key_that_is_taken_away_takes_its_rules_along(tmp_path: Path) -> None:
    both = Policy(public_keys=(AUTHOR.public, STRANGER.public), require_signature=True)
    files: dict[str, str | bytes] = {
        "a.wat": QUIET, "a.wat.sig": signed(QUIET), "b.wat": LOUD, "b.wat.sig": signed(LOUD, STRANGER),
    }  # fmt: skip
    first = load(tmp_path, files, policy=both)
    assert trusts(first) == {"a": "signed", "b": "signed"}
    second = load(tmp_path, {}, previous=first, policy=DEMANDING)
    assert trusts(second) == {"a": "signed"}
    assert "what served before is no longer trusted either" in said(second)
    (tmp_path / "plugins" / LOCK_NAME).mkdir()
    assert trusts(load(tmp_path, {}, previous=first, policy=DEMANDING)) == {"a": "signed"}


def test_the_bytes_that_are_judged_are_the_bytes_that_are_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(tmp_path, {"a.wat": QUIET})
    locked(tmp_path)
    judge = trust.judge

    def swap(*args: Any) -> Any:
        (tmp_path / "plugins" / "a.wat").write_text(LOUD)
        (tmp_path / "plugins" / "a.toml").write_text("priority = 7")
        return judge(*args)

    monkeypatch.setattr(trust, "judge", swap)
    [rule] = load(tmp_path, {}).rules
    assert rule.sha256 == hashlib.sha256(QUIET.encode()).hexdigest()
    assert (rule.compiled.facts.sha256, rule.settings.priority) == (rule.sha256, 50)


def test_a_signature_by_a_key_that_no_longer_counts_is_no_trust(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"a.wat": QUIET, "a.wat.sig": signed(QUIET, STRANGER)}
    first = load(tmp_path, files, policy=Policy(public_keys=(STRANGER.public,)))
    assert trusts(first) == {"a": "signed"}
    assert trusts(load(tmp_path, {"a.wat": "broken"}, previous=first, policy=TRUSTING)) == {"a": ""}


# One file, for its author


def test_an_author_is_told_what_a_proxy_would_say(tmp_path: Path) -> None:
    load(tmp_path, {"a.wat": QUIET})
    locked(tmp_path)
    path, cache = tmp_path / "plugins" / "a.wat", tmp_path.parent / "artifacts"
    rule = load_file(path, {}, cache=cache)
    assert isinstance(rule, Rule)
    assert (rule.trust, rule.notes) == ("locked", ())
    path.write_text(LOUD)
    rule = load_file(path, {}, cache=cache)
    assert isinstance(rule, Rule)
    assert rule.trust == ""
    assert "a proxy would refuse this: the module has SHA-256" in rule.notes[0]
    (tmp_path / "plugins" / LOCK_NAME).write_text("nonsense")
    rule = load_file(path, {}, cache=cache)
    assert isinstance(rule, Rule)
    assert (rule.trust, "plugins.lock is not a lock" in rule.notes[0]) == ("", True)


def test_a_rule_travels_to_a_worker_with_its_trust(tmp_path: Path) -> None:
    load(tmp_path, {"a.wat": QUIET})
    locked(tmp_path)
    [rule] = load(tmp_path, {}).rules
    sent = msgspec.msgpack.encode(rule, enc_hook=str)
    assert msgspec.msgpack.decode(sent, type=Rule, dec_hook=lambda kind, value: kind(value)) == rule
