"""Work that is spread over processes."""

import os
from collections.abc import Callable, Iterator

import pytest

from core.lab.cores import ProcessDied, chunks, spread


def adding(more: int) -> Callable[[list[int]], tuple[int, int]]:
    return lambda numbers: (os.getpid(), sum(numbers) + more)


def failing(_: int) -> Callable[[list[int]], int]:
    def work(numbers: list[int]) -> int:
        if 7 in numbers:
            raise ValueError("seven")
        return 0

    return work


def dying(_: int) -> Callable[[list[int]], None]:
    return lambda _: os._exit(3)


def test_results_come_in_order_from_as_many_processes_as_wanted() -> None:
    found = list(spread(adding, 100, chunks(range(60), 3), cores=2))
    assert [number for _, number in found] == [sum(range(at, at + 3)) + 100 for at in range(0, 60, 3)]
    assert os.getpid() not in {process for process, _ in found}
    assert len({process for process, _ in found}) <= 2


@pytest.mark.parametrize(("size", "cores"), [(60, 2), (3, 1)])
def test_little_work_and_a_single_core_need_no_other_process(size: int, cores: int) -> None:
    found = list(spread(adding, 0, chunks(range(60), size), cores=cores))
    assert {process for process, _ in found} == {os.getpid()}
    assert sum(number for _, number in found) == sum(range(60))


def test_nothing_is_read_far_ahead() -> None:
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            yield number

    results = spread(adding, 0, chunks(numbers(), 1), cores=2)
    next(results)
    assert len(read) <= 5
    assert len(list(results)) == 99


def test_what_goes_wrong_there_is_raised_here() -> None:
    with pytest.raises(ValueError, match="seven"):
        list(spread(failing, 0, chunks(range(10), 2), cores=2))
    with pytest.raises(ProcessDied, match="fewer cores"):
        list(spread(dying, 0, chunks(range(10), 2), cores=2))
