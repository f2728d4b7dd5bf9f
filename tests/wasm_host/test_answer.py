import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasm_modules import patient

from wasm_host import abi
from wasm_host.answer import Illegal, Outcome, clean, judge, unknown_keys
from wasm_host.manifest import Settings

TARGETS = frozenset({"a,b", "c,d"})


def test_nothing_abstains() -> None:
    assert judge(b"", Settings(), TARGETS) == {"code": "abstain"}


def test_route_with_everything() -> None:
    settings = Settings(tags={"team": ("a", "b")}, routes=("a,b",))
    answer = b'{"route":"a,b","reason":"over_budget","score":1000,"tags":{"team":"b"},"new":[1]}'
    assert judge(answer, settings, TARGETS) == {
        "code": "route", "route": "a,b", "reason": "over_budget", "score": 1000, "tags": {"team": "b"},
    }  # fmt: skip


def test_a_manifest_s_routes_narrow_the_targets() -> None:
    with pytest.raises(Illegal, match="manifest"):
        judge(b'{"route":"c,d"}', Settings(routes=("a,b",)), TARGETS)
    with pytest.raises(Illegal, match="not a configured target"):
        judge(b'{"route":"e,f"}', Settings(routes=("e,f",)), TARGETS)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"{}", "none of them"),
        (b'{"abstain":false}', "none of them"),
        (b'{"route":"a,b","abstain":true}', "route and abstain"),
        (b'{"route":"a,b","deny":{"status":403},"error":{}}', "route and deny and error"),
    ],
)
def test_one_thing_is_said_at_a_time(answer: bytes, said: str) -> None:
    with pytest.raises(Illegal, match=f"the answer says {said};"):
        judge(answer, Settings(allow_deny=True), TARGETS)


@pytest.mark.parametrize("status", abi.DENY_STATUSES)
def test_deny_with_leave(status: int) -> None:
    answer = f'{{"deny":{{"status":{status},"message":"too\\u0000 much\\u202e"}}}}'.encode()
    judged = judge(answer, Settings(allow_deny=True), TARGETS)
    assert (judged["code"], judged["deny_status"], judged["deny_message"]) == ("deny", status, "too  much ")


@pytest.mark.parametrize("status", [200, 302, 401, 404, 500, -1])
def test_deny_with_another_status(status: int) -> None:
    with pytest.raises(Illegal, match="it must be one of"):
        judge(f'{{"deny":{{"status":{status},"message":"no"}}}}'.encode(), Settings(allow_deny=True), TARGETS)


def test_deny_message_is_500_characters_at_most() -> None:
    def answer(length: int) -> bytes:
        return f'{{"deny":{{"status":403,"message":"{"ü" * length}"}}}}'.encode()

    assert len(judge(answer(500), Settings(allow_deny=True), TARGETS)["deny_message"]) == 500
    with pytest.raises(Illegal, match="501 characters"):
        judge(answer(501), Settings(allow_deny=True), TARGETS)


def test_an_error_keeps_its_code_if_it_is_one() -> None:
    assert judge(b'{"error":{"code":"no_config","message":"a\\nb"}}', Settings(), TARGETS) == {
        "code": "error", "reason": "no_config", "message": "a b",
    }  # fmt: skip
    assert judge(b'{"error":{"code":"free text"}}', Settings(), TARGETS)["reason"] == ""
    assert len(judge(b'{"error":{"message":"%s"}}' % (b"x" * 9000), Settings(), TARGETS)["message"]) == 500


def test_refusals_do_not_repeat_what_the_rule_said_of_tags_and_reasons() -> None:
    for answer in (b'{"abstain":true,"reason":"My Secret"}', b'{"abstain":true,"tags":{"my":"secret"}}'):
        with pytest.raises(Illegal) as caught:
            judge(answer, Settings(), TARGETS)
        assert "ecret" not in str(caught.value)


def test_depth_is_counted_outside_strings() -> None:
    brackets = "[" * 100
    assert judge(f'{{"abstain":true,"x":"\\"{brackets}"}}'.encode(), Settings(), TARGETS)["code"] == "abstain"
    with pytest.raises(Illegal, match="nested"):
        judge(b'{"abstain":true,"x":' + b"[" * 40 + b"]" * 40 + b"}", Settings(), TARGETS)
    flat = b'{"abstain":true,"x":[' + b"[]," * 40 + b"1]}"
    assert judge(flat, Settings(), TARGETS)["code"] == "abstain"


@patient
@given(st.binary(max_size=200))
def test_any_bytes_are_judged(data: bytes) -> None:
    try:
        code = judge(data, Settings(), TARGETS)["code"]
    except Illegal:
        code = "abstain"
    assert code in {"abstain", "error"}


TEXT = st.text("a,b\n\u202e{", max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 62), 1 << 62) | TEXT | st.sampled_from(["a,b", "x,y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["route", "abstain", "deny", "error", "reason", "score", "tags", "x"])


@patient
@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_no_answer_leads_anywhere_but_to_a_target(answer: dict[str, object]) -> None:
    try:
        judged = judge(msgspec.json.encode(answer), Settings(), TARGETS)
    except Illegal:
        return
    assert judged.get("route", "a,b") in TARGETS
    assert judged["code"] in {"route", "abstain", "error"}
    assert ("route" in judged) == (judged["code"] == "route")


def test_only_enforced_answers_decide() -> None:
    assert Outcome(rule="r", code="route", route="a,b").decides
    assert Outcome(rule="r", code="trap", deny_status=503).decides
    assert not Outcome(rule="r", code="route", route="a,b", shadow=True).decides
    assert not Outcome(rule="r", code="abstain").decides


@patient
@given(st.text())
def test_clean_text_is_printable_and_as_long(text: str) -> None:
    assert clean(text).isprintable()
    assert len(clean(text)) == len(text)


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"", []),
        (b'{"route":"a,b","reason":"x","score":1,"tags":{"anything":"x"}}', []),
        (b'{"route":"a,b","reson":"x"}', ["reson (did you mean reason?)"]),
        (b'{"abstain":true,"zzz":1}', ["zzz"]),
        (b'{"deny":{"status":429,"mesage":"x"}}', ["deny.mesage (did you mean deny.message?)"]),
        (b'{"error":{"kode":"x"}}', ["error.kode (did you mean error.code?)"]),
    ],
)
def test_unknown_keys_are_named_for_the_author(data: bytes, keys: list[str]) -> None:
    assert unknown_keys(data) == keys
