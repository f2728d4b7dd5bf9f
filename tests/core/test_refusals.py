import msgspec
import pytest

from core.refusals import SAY_EVERY_S, Refused, Tally, answer


@pytest.mark.parametrize(
    ("refused", "line", "type"),
    [
        (Refused("malformed", 400, "what"), b"HTTP/1.1 400 Bad Request", "invalid_request_error"),
        (Refused("x", 431, "what"), b"HTTP/1.1 431 Request Header Fields Too Large", "invalid_request_error"),
        (Refused("x", 503, "what", type="overloaded_error"), b"HTTP/1.1 503 Service Unavailable", "overloaded_error"),
    ],
)
def test_a_refusal_is_a_whole_answer_that_sdks_read(refused: Refused, line: bytes, type: str) -> None:
    head, _, body = answer(refused).partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    assert first == line
    assert b"content-length: %d" % len(body) in headers
    assert b"connection: close" in headers
    assert (b"retry-after: 1" in headers) is (refused.status == 503)
    assert msgspec.json.decode(body)["error"] == {"type": type, "message": "what"}


def test_a_flood_is_said_once_in_a_while_and_counted_whole() -> None:
    counted: list[str] = []
    tally = Tally(counted.append)
    said = []
    for moment in range(1000):
        tally.add("malformed")
        if moment % 50 == 0:
            tally.add("header_s")
        said.append(tally.due(moment * SAY_EVERY_S / 100))
    spoken = [line for line in said if line]
    assert spoken[0] == {"malformed": 1, "header_s": 1}
    assert len(spoken) == 10
    assert sum(line["malformed"] for line in spoken) + tally._since["malformed"] == 1000
    assert counted.count("malformed") == 1000


def test_the_last_of_a_flood_is_said_without_another_one() -> None:
    tally = Tally()
    tally.add("malformed")
    assert tally.due(0.0) == {"malformed": 1}
    tally.add("malformed")
    assert tally.due(SAY_EVERY_S - 1) == {}
    assert tally.due(SAY_EVERY_S) == {"malformed": 1}
    assert tally.due(SAY_EVERY_S * 3) == {}
