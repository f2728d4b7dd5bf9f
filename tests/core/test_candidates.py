"""Rules that are tried: compiled under the compiler's limits, kept for a while, never installed."""

import tempfile
from pathlib import Path

import pytest
from wasm_modules import ROUTE, answering, running

from core.candidates import KEPT_S, MOST, Candidate, Candidates, Offer, stem_of
from wasm_host.preflight import Refusal

WAT = answering(ROUTE).encode()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def rule(found: Candidate | Refusal) -> Candidate:
    assert isinstance(found, Candidate), found
    return found


def test_a_candidate_decides_and_gets_its_table_but_no_privileges() -> None:
    table = {
        "priority": 7, "mode": "shadow", "grant": ["request.system"], "fail": "deny", "allow_deny": True,
        "policy": {"mode": "canary", "share": 5}, "config": {"x": 1}, "limits": {"fuel": 50_000_000},
    }  # fmt: skip
    found = rule(Candidates().get(Offer("My Rule.wat", WAT, grants=("request.last_user",)), {"my-rule": table}))
    own = found.rule.settings
    assert (found.rule.name, own.mode, own.share, own.priority, own.config) == ("my-rule", "enforce", None, 7, {"x": 1})
    assert (own.grant, own.fail, own.allow_deny) == (("request.last_user",), "next", False)
    assert own.limits.fuel == 50_000_000


def test_a_manifest_says_what_an_author_may_say_and_no_more() -> None:
    manifest = 'priority = 3\nmode = "off"\ngrant = ["request.system"]\ninput = ["request.system"]\n'
    manifest += "[limits]\nfuel = 99999999\n"
    found = rule(Candidates().get(Offer("a.wat", WAT, manifest), {})).rule
    assert (found.settings.priority, found.settings.mode, found.settings.grant) == (3, "enforce", ())
    assert found.plan.ungranted == ("request.system",)
    assert found.settings.limits.fuel == 10_000_000
    assert any("grant counts only" in note for note in found.notes)


@pytest.mark.parametrize(
    ("offer", "code"),
    [
        (Offer("a.wasm", b"no module"), "not_wasm"),
        (Offer("a.wat", b"(module"), "text"),
        (Offer("a.wat", b"(module)"), "export"),
        (Offer("a.exe", WAT), "name"),
        (Offer("a", WAT), "name"),
        (Offer("a.wat", b"\xff\xfe"), "text"),
        (Offer("a.wat", WAT, "not = toml ="), "manifest"),
        (Offer("a.wat", WAT, "a = " + "[" * 5000), "manifest"),
        (Offer("a.wat", WAT, "a = " + "1" * 5000), "manifest"),
        (Offer("a.wat", WAT, "# " + "x" * 70_000), "manifest"),
        (Offer("a.wat", WAT, "priority = 'high'"), "file"),
        (Offer("a.wat", WAT, grants=("nonsense",)), "file"),
        (Offer("a.wasm", b"\0asm\1\0\0\0" + bytes(9 << 20)), "file"),
    ],
)
def test_what_is_no_rule_is_refused_with_a_reason(offer: Offer, code: str) -> None:
    found = Candidates().get(offer, {})
    assert isinstance(found, Refusal)
    assert (found.code, bool(found.message), bool(found.hint)) == (code, True, True)


def test_nothing_of_it_stays_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = rule(Candidates().get(Offer("a.wat", WAT), {}))
    assert found.code
    assert not found.rule.compiled.artifact.exists()
    assert list(tmp_path.iterdir()) == []


def test_it_is_compiled_once_and_forgotten_when_nobody_tries_it() -> None:
    clock = Clock()
    kept = Candidates(clock)
    offer = Offer("a.wat", WAT)
    first = kept.get(offer, {})
    clock.now += KEPT_S - 1
    assert kept.get(offer, {}) is first
    clock.now += KEPT_S
    kept.forget()
    assert len(kept) == 0
    refused = Offer("a.wat", b"(module")
    assert kept.get(refused, {}) is kept.get(refused, {}), "what is refused is not compiled again either"


def test_the_latest_few_are_kept() -> None:
    kept = Candidates()
    offers = [Offer("a.wat", f"(module ;; {number}".encode()) for number in range(MOST + 2)]
    found = [kept.get(offer, {}) for offer in offers]
    assert len(kept) == MOST
    assert kept.get(offers[-1], {}) is found[-1]
    assert kept.get(offers[0], {}) is not found[0]


def test_another_table_or_grant_is_another_candidate() -> None:
    kept = Candidates()
    kinds = [
        kept.get(Offer("a.wat", WAT), {}),
        kept.get(Offer("a.wat", WAT, grants=("session",)), {}),
        kept.get(Offer("a.wat", WAT), {"a": {"config": {"x": 1}}}),
        kept.get(Offer("b.wat", WAT), {}),
    ]
    assert len(set(map(id, kinds))) == len(kept) == 4


def test_a_table_may_hold_any_number() -> None:
    table = {"config": {"huge": 10**30, "endless": float("inf")}}
    assert rule(Candidates().get(Offer("a.wat", WAT), {"a": table})).rule.settings.config == table["config"]


def test_names_become_those_of_rules() -> None:
    names = (
        "cost_guard.wasm",
        "My Rule (2).wat",
        "../../etc/passwd.wat",
        "<img src=x>.wat",
        "日本.wat",
        "x" * 99 + ".wat",
    )
    assert [stem_of(name) for name in names] == [
        "cost_guard", "my-rule-2", "passwd", "img-src-x", "candidate", "x" * 64,
    ]  # fmt: skip


def test_a_rule_that_never_ends_is_a_rule() -> None:
    """The compiler's example ends by its fuel; that is a remark."""
    found = rule(Candidates().get(Offer("a.wat", running("(loop $l (br $l)) (i64.const 0)").encode()), {}))
    assert any("example request ends in" in note for note in found.rule.notes)
