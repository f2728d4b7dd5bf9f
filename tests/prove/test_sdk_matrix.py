"""What the proof with the official SDKs calls a broken promise, with and without them."""

from pathlib import Path
from typing import Any

import pytest

from prove import rig, sdks
from prove.faultd_table import FAULTS
from prove.oracle import Kind
from prove.oracle_reading import CLIENTS
from prove.sdks_client import Call, Got, Way
from prove.section import Section

CUT, GOOD, ANY = "clean_end", "good_text", "usage_huge"


def asked(fault: str, way: Way = "stream", client: int = 0, base_url: str = "") -> sdks.Asked:
    ask = rig.Asking(3).one(fault, CLIENTS[client], CLIENTS[client].name, streamed=way != "whole")
    return sdks.Asked(ask, sdks.call_of(ask, 0, way, base_url))


def got(one: sdks.Asked, **fields: Any) -> Got:
    said = one.ask.case.content
    whole: dict[str, Any] = {"thinking": said.thinking, "text": said.text, "tool": said.tool, "finished": True}
    return Got(0, **(whole | fields))


def error(how: str = "event", told: str = "it broke", **fields: Any) -> dict[str, Any]:
    return {"how": how, "name": "sdk.Error", "told": told, "finished": False} | fields


@pytest.mark.parametrize(
    ("fault", "fields", "why"),
    [
        (GOOD, {}, ""),
        (ANY, {}, ""),
        (ANY, error(), ""),
        (CUT, error(), ""),
        (CUT, error("status", thinking="", text="", tool=""), ""),
        (CUT, {}, "a complete answer that the provider never gave"),
        (ANY, {"text": ""}, "success, but the words are not those"),
        (ANY, {"finished": False}, "does not say that it is whole"),
        (GOOD, error(), "a good answer was lost"),
        (CUT, error("foreign", name="json.JSONDecodeError"), "json.JSONDecodeError"),
        (CUT, error("connection", name="sdk.APIConnectionError"), "sdk.APIConnectionError"),
        (CUT, error(told=""), "does not say why"),
        (CUT, error(told=f"{rig.KEY} is wrong"), "a secret"),
        (CUT, error(shown=rig.KEY), "a secret"),
        (CUT, error(text="something else"), "no prefix"),
        (CUT, error(seconds=rig.BOUND_S + 1), "hangs"),
    ],
)
def test_what_an_sdk_may_see(fault: str, fields: dict[str, Any], why: str) -> None:
    one = asked(fault)
    verdict = sdks.judge(one, got(one, **fields))
    assert ((verdict.kind is Kind.VIOLATION), why in verdict.why) == (bool(why), True), verdict


def test_no_answer_at_all_is_a_hang() -> None:
    assert sdks.judge(asked(CUT), None).why == "hangs"


def test_an_event_is_for_streams_alone() -> None:
    one = asked(CUT, "whole")
    assert "does not say why" in sdks.judge(one, got(one, **error())).why


def table(one: sdks.Asked, seen: Got) -> tuple[dict[str, int], Section]:
    made, section = sdks.Table(), Section("")
    made.add(one, seen)
    made.into(section)
    return dict(made.wrong), section


def test_an_exception_is_stated_exact_and_needed() -> None:
    [(form, (name, why))] = sdks.EXCUSED.items()
    one = asked("usage_missing", "helper")
    assert one.form == form
    wrong, section = table(one, got(one, **error("foreign", name=name)))
    assert (wrong, why in section.counts["exceptions"]) == ({}, True)
    for other in (got(one), got(one, **error("foreign", name="builtins.TypeError"))):
        assert len(table(one, other)[0]) == 1
    assert table(asked(GOOD), got(asked(GOOD)))[1].counts["exceptions"] == "none"


def test_findings_are_told_and_so_is_what_was_left_out() -> None:
    one = asked(CUT)
    wrong, section = table(one, got(one))
    assert list(wrong) == [
        "clean_end, anthropic SDK (stream), anthropic provider: a complete answer that the provider never gave"
    ]
    assert len(section.findings) == len(FAULTS)
    assert section.counts["the anthropic SDK saw"] == "answer 1"


def test_the_plan_is_whole_and_the_same_each_time() -> None:
    every = sdks.plan("", 99)
    assert every == sdks.plan("", 99)
    assert [one.call.number for one in every] == list(range(len(every)))
    forms = {one.form for one in every}
    assert len(forms) == len(every) == sum(len(rig.forms(name)) + _streamed(name) for name in FAULTS)
    assert {one.ask.fault for one in sdks.plan("", 1)} == set(FAULTS)
    assert all((one.call.way == "whole") != one.ask.case.streamed for one in every)


def _streamed(name: str) -> int:
    """A stream is asked for in two ways."""
    return sum(streamed for *_, streamed in rig.forms(name))


@pytest.mark.parametrize(("straight", "behind", "findings"), [([3, 3], [1, 1], 0), ([3, 1], [1], 1), ([3], [1, 2], 1)])
def test_retries_that_are_multiplied_are_a_finding(straight: list[int], behind: list[int], findings: int) -> None:
    assert len(list(sdks.retry_findings(straight, behind))) == findings


def test_without_a_proxy_the_sdks_see_lies(tmp_path: Path) -> None:
    """Straight at the provider that fails: an end that looks like success, exceptions that are none of the SDK's."""
    with rig.faultd(tmp_path / "rig") as (_, ports):
        base = f"http://127.0.0.1:{ports['main']}"
        tries: list[tuple[str, Way, int]] = [
            (GOOD, "whole", 0),
            (GOOD, "stream", 1),
            (GOOD, "helper", 0),
            (GOOD, "helper", 1),
            ("overloaded_529", "whole", 0),
            ("error_event", "stream", 1),
            (CUT, "stream", 0),
            (CUT, "helper", 1),
            ("html_200", "whole", 0),
            ("bad_json", "whole", 1),
            ("chunked_fin", "stream", 0),
        ]
        every = [asked(fault, way, client, base) for fault, way, client in tries]
        calls = [Call(at, *_rest(one.call)) for at, one in enumerate(every)]
        seen = sdks.exchange(tmp_path, calls, 8)
    kinds = [sdks.judge(one, said).kind for one, said in zip(every, seen, strict=True)]
    assert kinds == [Kind.COMPLETE] * 4 + [Kind.HONEST_ERROR] * 2 + [Kind.VIOLATION] * 5, seen
    hows = [said.how for said in seen if said]
    assert hows[4:8] == ["status", "event", "answer", "answer"]
    assert set(hows[8:]) <= {"foreign", "connection"}


def _rest(call: Call) -> tuple[str, Way, str, dict[str, Any], int | None]:
    return call.sdk, call.way, call.base_url, call.fields, call.retries
