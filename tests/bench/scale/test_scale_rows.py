"""The curves measure what they say they do."""

import pytest

from bench.row import Row
from bench.scale import conversations, rules, targets, taxonomies
from bench.scale.measuring import Asked, Effort, curves
from core.dialects import CLIENTS

LITTLE = Effort(rounds=1, runs=2, share=0.05)


def named(found: list[Row]) -> list[str]:
    return [row.name for row in found]


def test_every_size_has_its_turn_in_each_round() -> None:
    asked: list[int] = []

    def measure(size: int) -> dict[str, float]:
        asked.append(size)
        return {"one": float(size), "two": float(len(asked))}

    one, two = curves("s", "sizes", [Asked("one", "ms", 1), Asked("two", "ms", 1)], [1, 2], 2, measure)
    assert asked == [1, 2, 1, 2]
    assert one.costs == {1.0: [1.0, 1.0], 2.0: [2.0, 2.0]}
    assert two.costs == {1.0: [1.0, 3.0], 2.0: [2.0, 4.0]}


def test_a_turn_more_leaves_what_was_before_as_it_is() -> None:
    shorter, longer = (
        [block.text for message in CLIENTS["anthropic"].decode_request(body).messages for block in message.content]
        for body in (conversations.conversation(3, 1), conversations.conversation(4, 2))
    )
    assert len(longer) == len(shorter) + 2 == 9
    assert longer[:5] == shorter[:5]
    assert longer[5:7] != shorter[5:7]


def test_the_next_turn_is_counted_and_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "LONG_TOKENS", 1000)
    rows = [row for row, _ in conversations.measured(LITTLE)]
    growing = [f"{name}: exponent" for name in (conversations.COUNTED, conversations.DECIDED)]
    assert named(rows)[:2] == growing
    assert named(rows)[2].startswith("counted behind 1 k tokens, ")
    assert all(row.value for row in rows)


def test_rules_are_asked_inline_and_in_a_worker() -> None:
    rows = [row for row, _ in rules.measured(LITTLE)]
    assert [sorted(row.figures) for row in rows] == [["at_1", "at_2"]] * 2
    assert rows[0].figures["at_2"] > rows[0].figures["at_1"] > 0


def test_a_taxonomy_has_as_many_patterns_as_it_says() -> None:
    texts = list(taxonomies._files(333))
    assert sum(text.count(",") for _, text in texts) == 333
    rows = [row for row, _ in taxonomies.measured(LITTLE)]
    assert [sorted(row.figures) for row in rows] == [["at_1000", "at_333", "at_3333"]] * 2


def test_targets_are_those_of_the_snapshot() -> None:
    assert len(targets._snapshot(100).targets) - len(targets._snapshot(0).targets) == 100
    rows = [row for row, _ in targets.measured(LITTLE)]
    assert len(rows) == 4
    assert all(row.figures["at_1"] > 0 for row in rows)
