"""Images by URL, fetched for providers that take none; the web is a function here, sockets are in test_fetching."""

import asyncio

import pytest
from asked_images import NESTED, TEXT, image, request

from core.errors import BadRequest, UpstreamFailed
from core.image_urls import named
from core.messages import Request
from core.pictures import AT_ONCE, Pictures
from core.schema import ImageSettings

PNG = b"\x89PNG\r\n\x1a\n"
ON = ImageSettings()


class Web:
    """What is where, and who asked for it."""

    def __init__(self, **pages: bytes) -> None:
        self.pages, self.asked, self.limits = pages, list[str](), set[tuple[int, float]]()
        self.together = self.most_together = 0

    async def fetch(self, url: str, most: int, seconds: float) -> bytes:
        self.asked.append(url)
        self.limits.add((most, seconds))
        self.together += 1
        self.most_together = max(self.most_together, self.together)
        await asyncio.sleep(0)
        self.together -= 1
        page = self.pages.get(url.rpartition("/")[2])
        if page is None:
            raise UpstreamFailed(502, "it answered 404", stage="answered")
        return page


def inlined(pictures: Pictures, asked: Request, settings: ImageSettings = ON) -> Request:
    return asyncio.run(pictures.inlined(asked, settings))


def test_all_images_of_a_request_are_fetched_at_once_and_each_once() -> None:
    web = Web(**{"1": PNG + b"1", "2": PNG + b"2"})
    put = inlined(Pictures(web.fetch), request([image("http://a/1"), NESTED], [image("http://a/1")]))
    assert named(put) == []
    assert sorted(web.asked) == ["http://a/1", "http://b/2"]
    assert web.most_together == 2
    assert web.limits == {(ON.max_bytes, ON.fetch_s)}


def test_the_images_of_a_request_are_bounded_together_and_few_are_fetched_at_once() -> None:
    pages = {str(n): PNG + b"x" * 292 for n in range(20)}
    asked = request([image(f"http://a/{n}") for n in range(20)])
    web = Web(**pages)
    assert named(inlined(Pictures(web.fetch), asked, ImageSettings(max_total_bytes=6000))) == []
    assert web.most_together == AT_ONCE
    web = Web(**pages)
    with pytest.raises(BadRequest, match=r"over 1300 bytes together \(images.max_total_bytes\)"):
        inlined(Pictures(web.fetch), asked, ImageSettings(max_total_bytes=1300))
    assert len(web.asked) < 20


def test_a_request_without_any_is_the_same_and_asks_nobody() -> None:
    asked, web = request([TEXT]), Web()
    assert inlined(Pictures(web.fetch), asked) is asked
    assert web.asked == []


def test_the_next_turn_of_a_conversation_asks_nobody_again() -> None:
    web = Web(**{"1": PNG})
    pictures = Pictures(web.fetch)
    for _ in range(3):
        inlined(pictures, request([image("http://a/1")]))
    assert web.asked == ["http://a/1"]


def test_what_is_kept_is_bounded_and_the_longest_unused_goes_first() -> None:
    web = Web(**{str(n): PNG + b"x" * 22 for n in range(4)})  # 40 characters each
    pictures = Pictures(web.fetch, cache=80)
    for n in (0, 1, 0, 2, 0, 1):
        inlined(pictures, request([image(f"http://a/{n}")]))
    assert [url[-1] for url in web.asked] == ["0", "1", "2", "1"]
    for _ in range(2):
        inlined(Pictures(web.fetch, cache=39), request([image("http://a/3")]))
    assert [url[-1] for url in web.asked[4:]] == ["3", "3"]


def test_a_failure_names_the_first_place_of_the_image_and_is_not_kept() -> None:
    web = Web(**{"1": PNG})
    pictures = Pictures(web.fetch)
    asked = request(
        [image("http://a/1"), image("http://a.example/gone?key=secret")], [image("http://a.example/gone?key=secret")]
    )
    with pytest.raises(BadRequest, match=r"messages\.0\.content\.1: .*a\.example: it answered 404; send it") as told:
        inlined(pictures, asked)
    assert "secret" not in told.value.message
    web.pages["gone?key=secret"] = PNG
    assert named(inlined(pictures, asked)) == []


def test_what_is_no_image_is_refused_whatever_it_is_called() -> None:
    with pytest.raises(BadRequest, match="no PNG, JPEG, GIF or WebP"):
        inlined(Pictures(Web(**{"x.png": b"<html>"}).fetch), request([image("http://a/x.png")]))


def test_it_can_be_switched_off_and_the_count_is_bounded() -> None:
    web = Web(**{"1": PNG, "2": PNG})
    asked = request([image("http://a/1"), image("http://a/2")])
    with pytest.raises(BadRequest, match=r"images\.fetch is off"):
        inlined(Pictures(web.fetch), asked, ImageSettings(fetch=False))
    with pytest.raises(BadRequest, match="at most 1 images"):
        inlined(Pictures(web.fetch), asked, ImageSettings(max_count=1))
    assert web.asked == []
