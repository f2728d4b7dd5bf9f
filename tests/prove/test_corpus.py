import subprocess
import sys

import pytest

from prove.corpus import FRONTS, Weight, judge
from prove.corpus_cases import Case, Due, cases

ANTHROPIC = b'{"type":"error","error":{"type":"invalid_request_error","message":"no"}}'
OPENAI = b'{"error":{"type":"invalid_request_error","message":"no"}}'


def answer(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\n\r\n" % status + body


def verdict(due: Due, data: bytes, path: str = FRONTS[0]) -> str:
    return judge(Case("x", lambda: b"", due), path, data)


@pytest.mark.parametrize(
    ("due", "data", "path"),
    [
        (Due.REFUSED, answer(400, ANTHROPIC), FRONTS[0]),
        (Due.REFUSED, answer(413, OPENAI), FRONTS[1]),
        (Due.SERVED, answer(200, b'{"stop_reason":"end_turn"}'), FRONTS[0]),
        (Due.EITHER, answer(400, ANTHROPIC), FRONTS[0]),
        (Due.EITHER, answer(200, b'{"finish_reason":"stop"}'), FRONTS[1]),
    ],
)
def test_what_is_right(due: Due, data: bytes, path: str) -> None:
    assert verdict(due, data, path) == ""


@pytest.mark.parametrize(
    ("due", "data", "said"),
    [
        (Due.REFUSED, b"", "0 answers"),
        (Due.REFUSED, answer(400, ANTHROPIC) * 2, "2 answers"),
        (Due.REFUSED, answer(200, b'{"stop_reason":1}'), "200 where 4xx"),
        (Due.EITHER, answer(500, ANTHROPIC), "500 where"),
        (Due.SERVED, answer(400, ANTHROPIC), "400 where 200"),
        (Due.REFUSED, answer(400, b"no"), "no JSON"),
        (Due.REFUSED, answer(400, b"[]"), "no shape"),
        (Due.REFUSED, answer(400, OPENAI), "not Anthropic's"),
        (Due.REFUSED, answer(400, ANTHROPIC.replace(b'"no"', b'"internal error"')), "not our own words"),
        (Due.SERVED, answer(200, b"{}"), "without an answer"),
    ],
)
def test_what_is_not(due: Due, data: bytes, said: str) -> None:
    assert said in verdict(due, data)


def test_a_peak_is_seen_after_it_has_gone() -> None:
    program = (
        "import sys; sys.stdin.readline(); data = b'x' * 50_000_000; del data; print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-I", "-c", program]
    with subprocess.Popen(command, env={}, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        weight = Weight(process.pid)
        weight.begin()
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        assert 45_000_000 < weight.peak() < 80_000_000
        process.stdin.close()


def test_the_cases_have_names_of_their_own() -> None:
    names = [case.name for case in cases()]
    assert len(names) == len(set(names))
    assert sum(case.weighs for case in cases()) == 17
    assert len(names) - 17 == 83
