from datetime import UTC, datetime

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.budgets import Account, Limits, Over, dollars, everybodys, has_budgets, limits_at, told
from core.config_file import parse
from core.schema import ServerKey, ServerSettings, Settings
from core.schema_state import Budget
from core.sections import SecretRef

NONE = Budget()


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NOW = ms("2026-11-23T13:00:00")


def limits(own: Budget | None = None, default: Budget = NONE, now: int = NOW) -> Limits:
    found = limits_at(own, default, now)
    assert found is not None
    return found


def test_nobody_has_a_budget_who_was_given_none() -> None:
    assert limits_at(None, NONE, NOW) is None
    assert limits_at(Budget(mode="hard"), Budget(mode="soft"), NOW) is None


def test_a_keys_own_budget_goes_first_field_by_field() -> None:
    found = limits(Budget(day_usd=2), Budget(day_usd=1, month_usd=30, mode="soft"))
    assert [(limit.period, limit.micros, limit.setting) for limit in found.each] == [
        ("2026-11-23", 2_000_000, "server.keys[].budget.day_usd"),
        ("2026-11", 30_000_000, "budget.month_usd"),
    ]
    assert not found.hard
    assert limits(Budget(mode="hard"), Budget(day_usd=1, mode="soft")).hard
    unsaid = limits(None, Budget(day_usd=0))
    assert (unsaid.each[0].micros, unsaid.hard) == (0, True)


def test_everybodys_are_those_of_the_keys_or_of_all_who_need_none() -> None:
    both = Budget(day_usd=1, month_usd=30, mode="soft")
    settings = Settings.model_construct(budget=both, server=ServerSettings())
    assert [(name, limit.period, hard) for name, limit, hard in everybodys(settings, NOW)] == [
        ("", "2026-11-23", False), ("", "2026-11", False),
    ]  # fmt: skip
    keys = tuple(
        ServerKey(name=name, key=SecretRef(env="X"), budget=own)
        for name, own in (("a", Budget(day_usd=2, mode="hard")), ("b", Budget()))
    )
    settings = Settings.model_construct(budget=Budget(), server=ServerSettings(keys=keys))
    assert [(name, limit.micros, hard) for name, limit, hard in everybodys(settings, NOW)] == [("a", 2_000_000, True)]


@pytest.mark.parametrize(
    ("now", "day", "month"),
    [
        ("2026-11-23T13:00:00", "2026-11-24T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("2026-12-31T23:59:59.999", "2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2028-02-29T00:00:00", "2028-03-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        ("2026-01-31T12:00:00", "2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z"),
    ],
)
def test_days_and_months_end_when_the_calendar_says_so(now: str, day: str, month: str) -> None:
    both = limits(Budget(day_usd=1, month_usd=1), now=ms(now))
    assert [f"{limit.resets:%Y-%m-%dT%H:%M:%SZ}" for limit in both.each] == [day, month]
    assert [limit.period for limit in both.each] == [now[:10], now[:7]]


def test_room_is_what_is_neither_spent_nor_held_by_anybody() -> None:
    found, account = limits(Budget(day_usd=1, month_usd=2)), Account()
    account.settle("r0", ("2026-11-23", "2026-11"), 300_000)
    account.learn({"2026-11-23": 100_000, "2026-11": 1_500_000}, 50_000)
    account.held = {"r1": 20_000, "r2": 30_000}
    assert account.left(found) == 100_000  # of the month: 2 - 1.8 - 0.1
    assert account.no_room(found, 100_000) is None
    assert account.no_room(found, 100_001) == Over(found.each[1], 1_800_000, 100_000, 100_001)
    assert account.no_room(found, 130_000, request="r2") is None
    assert account.no_room(found, 130_001, request="r2") is not None
    assert account.spent_up(found) is None
    account.learn({"2026-11-23": 700_000}, 0)
    assert account.spent_up(found) == Over(found.each[0], 1_000_000, 0, 0)


def test_a_new_day_begins_with_nothing_spent_and_old_ones_are_forgotten() -> None:
    account = Account()
    account.settle("r0", ("2026-11-23", "2026-11"), 1_000_000)
    tomorrow = limits(Budget(day_usd=1, month_usd=3), now=NOW + 86_400_000)
    assert account.spent_up(tomorrow) is None
    assert account.left(tomorrow) == 1_000_000
    account.learn({"2026-11-22": 5, "2026-10": 5}, 0)
    account.forget(NOW + 2 * 86_400_000)
    assert (account.spent, account.others) == ({"2026-11-23": 1_000_000, "2026-11": 1_000_000}, {})
    account.forget(NOW + 3 * 86_400_000)
    assert account.spent == {"2026-11": 1_000_000}
    account.forget(ms("2026-12-02T23:00:00"))
    assert account.spent == {"2026-11": 1_000_000}
    account.forget(ms("2026-12-03T00:00:00"))
    assert account.spent == {}


def test_a_refusal_says_what_was_spent_of_what_until_when_and_by_which_setting() -> None:
    [limit] = limits(Budget(day_usd=1.5)).each
    assert told(Over(limit, 1_600_000, 0, 0), "ci") == (
        "the budget of key 'ci' is spent: 1.600000 of 1.500000 US dollars are spent in 2026-11-23."
        " It begins anew at 2026-11-24T00:00:00Z; server.keys[].budget.day_usd sets it"
    )
    assert told(Over(limit, 1_400_000, 50_000, 60_000), "") == (
        "the budget has no room for this request: 1.400000 of 1.500000 US dollars are spent in 2026-11-23,"
        " 0.050000 held for requests under way, and this request may cost 0.060000 (fewer max_tokens cost less)."
        " It begins anew at 2026-11-24T00:00:00Z; server.keys[].budget.day_usd sets it"
    )


@pytest.mark.parametrize(("amount", "text"), [(0, "0.000000"), (-1, "-0.000001"), (12_345_678, "12.345678")])
def test_dollars(amount: int, text: str) -> None:
    assert dollars(amount) == text


@pytest.mark.parametrize(
    ("more", "some"),
    [
        ("", False),
        ('[budget]\nmode = "hard"', False),
        ("[budget]\nday_usd = 0", True),
        ('[[server.keys]]\nname = "a"\nkey = { env = "A" }\nbudget = { month_usd = 1 }', True),
    ],
)
def test_whether_anybody_has_a_budget(more: str, some: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    text = f'{more}\n[providers.anthropic]\n[routing]\ndefault = "anthropic,claude-sonnet-4-6"\n'
    assert has_budgets(parse(text, tmp_path_factory.getbasetemp() / "config.toml")) is some


class Spending(RuleBasedStateMachine):
    """Requests that reserve, settle for at most what they held, or die: a hard budget is never overshot."""

    def __init__(self) -> None:
        super().__init__()
        self.account, self.limits = Account(), limits(Budget(day_usd=0.001, month_usd=0.0025))
        self.used, self.count = 0, 0

    @rule(wanted=st.integers(0, 500))
    def reserve(self, wanted: int) -> None:
        self.count += 1
        room = self.account.left(self.limits) >= wanted
        assert (self.account.no_room(self.limits, wanted) is None) == room
        if room:
            self.account.held[f"r{self.count}"] = wanted

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        if self.account.held:
            request = data.draw(st.sampled_from(sorted(self.account.held)))
            cost = data.draw(st.integers(0, self.account.held[request]))
            self.account.settle(request, ("2026-11-23", "2026-11"), cost)
            self.used += cost

    @invariant()
    def never_overshot(self) -> None:
        assert self.account.total("2026-11-23") == self.account.total("2026-11") == self.used
        assert self.used + self.account.holding() <= 1000


test_spending = Spending.TestCase
test_spending.settings = hypothesis.settings(max_examples=60, stateful_step_count=50)
