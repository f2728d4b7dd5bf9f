"""What is kept of a request explains it, and holds none of its words."""

from typing import Any

import msgspec
from fed import SHOT, exchange, undecided

from core.exchange import Refusal
from core.feed_kept import LEFT_OUT, MOST_BYTES, detail, kept, packed, packed_summary, unpacked
from wasm_host.answer import Outcome

WORDS = "please look into the colour of seventeen very secret blue boxes and tell nobody"


def shown(made: Any, snapshot: Any = SHOT) -> dict[str, Any]:
    """As the page gets it, out of what was packed."""
    told = detail(unpacked(packed(kept(made, 120.0))), snapshot)
    encoded = msgspec.json.encode(told)
    value: dict[str, Any] = msgspec.json.decode(encoded)
    return value


def test_the_whole_decision_with_its_snapshot_and_without() -> None:
    made = exchange(1, last_user=WORDS, tools=("read", "write"))
    told = shown(made)
    assert told["summary"]["reason"] == "concept:research"
    assert told["timings"] == {"decided_ms": 0.4, "first_ms": 33.0, "ms": 120.0}
    assert told["attempts"] == [{"target": "openrouter,deepseek/deepseek-chat", "outcome": "ok", "ms": 30.0, "key": 1}]
    explanation = told["explanation"]
    assert [phase["phase"] for phase in explanation["phases"]][:3] == ["explicit", "runtime", "custom"]
    assert explanation["decision"]["model"] == "deepseek/deepseek-chat"
    assert explanation["features"]["last_user"] == f"{len(WORDS)} characters"
    assert explanation["features"]["tools"] == ["read", "write"]
    without = shown(made, None)
    assert without["explanation"]["decision"]["reason"] == "concept:research"
    assert without["explanation"]["trace"] == explanation["trace"]


def test_no_word_of_the_request_is_in_it() -> None:
    made = exchange(last_user=WORDS, granted={"system": WORDS, "messages": WORDS, "headers": {"x": WORDS}})
    assert made.decision is not None
    asked = Outcome(rule="r", code="route", reason=WORDS, message=WORDS, log=WORDS, saw_text=True)
    made.decision = msgspec.structs.replace(made.decision, asked=(asked,))
    text = str(detail(kept(made, None), SHOT)) + packed(kept(made, 1.0)).decode("latin-1") + str(shown(made))
    for start in range(len(WORDS) - 12):
        assert WORDS[start : start + 12] not in text.replace("look into the", "")


def test_what_a_rule_that_saw_text_told_a_client_is_left_out() -> None:
    made = exchange()
    assert made.decision is not None
    asked = Outcome(rule="r", code="deny", deny_status=400, deny_message=WORDS, saw_text=True)
    changes: dict[str, Any] = {"phase": "custom", "refusal": Refusal(400, WORDS), "candidates": ()}
    made.decision = msgspec.structs.replace(made.decision, asked=(asked,), **changes)
    told = shown(made)
    assert told["explanation"]["decision"]["refusal"] == {"status": 400, "message": LEFT_OUT}
    assert WORDS not in str(told)
    blind = msgspec.structs.replace(asked, saw_text=False)
    made.decision = msgspec.structs.replace(made.decision, asked=(blind,))
    assert shown(made)["explanation"]["decision"]["refusal"]["message"] == WORDS


def test_rules_say_what_they_said_and_what_it_cost() -> None:
    made = exchange()
    assert made.decision is not None
    asked = Outcome(rule="r", code="abstain", fuel=1234, micros=56)
    made.decision = msgspec.structs.replace(made.decision, asked=(asked,))
    [rule] = shown(made, None)["rules"]
    assert (rule["rule"], rule["outcome"], rule["fuel"], rule["micros"]) == ("r", "abstain", 1234, 56)


def test_of_one_that_was_not_decided() -> None:
    told = shown(undecided())
    assert (told["explanation"], told["rules"], told["attempts"]) == (None, [], [])
    assert told["summary"]["status"] == 400


def test_however_large_a_clients_names_are_what_is_kept_is_small() -> None:
    made = exchange(model="m" * 10**6, tools=tuple(f"{number}" * 5000 for number in range(500)))
    told = shown(made)
    assert len(packed(kept(made, 1.0))) <= MOST_BYTES
    assert told["summary"]["requested"] == "m" * 200
    many = exchange(session_id="s" * 128, provider_tools=tuple(f"{number:0300}" for number in range(500)))
    assert len(packed(kept(many, 1.0))) <= MOST_BYTES + 4096
    assert packed_summary(packed(kept(many, 1.0))) == kept(many, 1.0).summary
