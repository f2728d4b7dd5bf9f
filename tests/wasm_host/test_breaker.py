"""The breaker over time, which the tests tell it."""

from wasm_host.breaker import CLOSED, FAULTS, OPEN, OPEN_S, PROBING, WINDOW_S, Breaker


def opened(at: float = 0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAULTS):
        assert breaker.admits(at)
        breaker.record(fault=True, now=at)
    return breaker


def test_faults_in_the_window_open_it_and_one_less_does_not() -> None:
    breaker = Breaker()
    for _ in range(FAULTS - 1):
        breaker.record(fault=True, now=0)
    assert (breaker.state, breaker.admits(0)) == (CLOSED, True)
    breaker.record(fault=True, now=WINDOW_S)
    assert (breaker.state, breaker.admits(WINDOW_S)) == (OPEN, False)


def test_faults_far_apart_do_not() -> None:
    breaker = Breaker()
    for count in range(100):
        breaker.record(fault=True, now=count * (WINDOW_S / (FAULTS - 1) + 0.1))
    assert breaker.state == CLOSED


def test_good_answers_between_faults_do_not_excuse_them() -> None:
    breaker = Breaker()
    for count in range(FAULTS):
        breaker.record(fault=False, now=count)
        breaker.record(fault=True, now=count)
    assert breaker.state == OPEN


def test_after_the_open_time_one_request_probes() -> None:
    breaker = opened()
    assert not breaker.admits(OPEN_S - 0.001)
    assert breaker.admits(OPEN_S)
    assert breaker.state == PROBING
    assert not breaker.admits(OPEN_S)


def test_a_good_probe_closes_it_with_a_clean_record() -> None:
    breaker = opened()
    assert breaker.admits(OPEN_S)
    breaker.record(fault=False, now=OPEN_S)
    assert breaker.state == CLOSED
    breaker.record(fault=True, now=OPEN_S)
    assert breaker.state == CLOSED


def test_a_bad_probe_opens_it_again() -> None:
    breaker = opened()
    assert breaker.admits(OPEN_S)
    breaker.record(fault=True, now=OPEN_S)
    assert breaker.state == OPEN
    assert not breaker.admits(2 * OPEN_S - 0.001)
    assert breaker.admits(2 * OPEN_S)


def test_a_probe_that_was_not_made_leaves_the_next_request_to_be_it() -> None:
    breaker = opened()
    assert breaker.admits(OPEN_S)
    breaker.withdraw(OPEN_S)
    assert breaker.state == OPEN
    assert breaker.admits(OPEN_S)


def test_withdrawing_changes_nothing_else() -> None:
    breaker = Breaker()
    breaker.withdraw(0)
    assert breaker.state == CLOSED
    breaker = opened()
    breaker.withdraw(1)
    assert not breaker.admits(2)


def test_a_probe_that_never_reports_is_replaced() -> None:
    breaker = opened()
    assert breaker.admits(OPEN_S)
    assert not breaker.admits(2 * OPEN_S - 0.001)
    assert breaker.admits(2 * OPEN_S)


def test_a_fault_of_a_call_from_before_does_not_lengthen_the_open_time() -> None:
    breaker = opened()
    breaker.record(fault=True, now=OPEN_S - 1)
    assert breaker.admits(OPEN_S)


def test_the_open_time_doubles_with_each_bad_probe_up_to_the_longest() -> None:
    breaker = Breaker(open_s=10, longest_s=25)
    for _ in range(FAULTS):
        breaker.record(fault=True, now=0)
    now, waits = 0.0, []
    for _ in range(4):
        waits.append(breaker.wait_s(now))
        now += waits[-1]
        assert breaker.admits(now)
        breaker.record(fault=True, now=now)
    assert waits == [10, 20, 25, 25]
    now += 25
    assert (breaker.wait_s(now), breaker.admits(now)) == (0, True)
    breaker.record(fault=False, now=now)
    for _ in range(FAULTS):
        breaker.record(fault=True, now=now)
    assert breaker.wait_s(now) == 10


def test_waiting_is_asked_about_without_becoming_the_probe() -> None:
    breaker = opened()
    assert (breaker.wait_s(OPEN_S), breaker.wait_s(OPEN_S - 1)) == (0, 1)
    assert breaker.state == OPEN
    assert breaker.admits(OPEN_S)
    assert breaker.wait_s(OPEN_S) == OPEN_S


def test_what_others_saw_opens_it_for_so_long_at_least() -> None:
    breaker = Breaker()
    breaker.open_for(20, now=0)
    assert (breaker.state, breaker.wait_s(0)) == (OPEN, 20)
    breaker.open_for(5, now=1)
    assert breaker.wait_s(1) == 19
    breaker.open_for(30, now=1)
    assert breaker.wait_s(1) == 30
    assert breaker.admits(31)
    breaker.open_for(60, now=31)
    assert breaker.state == PROBING
    breaker.record(fault=False, now=32)
    assert breaker.state == CLOSED
