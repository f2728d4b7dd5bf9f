import base64

import pytest
from asked_images import NESTED, TEXT, image, request
from msgspec import structs

from core.errors import BadRequest
from core.image_urls import MAX_URL, Named, as_source, check, named, with_sources
from core.messages import Block, Source

BASE64 = Block(type="image", source=Source(type="base64", media_type="image/png", data="aa"))


def test_every_image_by_url_is_found_with_its_place() -> None:
    asked = request([TEXT], [image("http://a/1"), BASE64, NESTED, Block(type="tool_result", content="text")])
    assert named(asked) == [
        Named("messages.1.content.0", "http://a/1"),
        Named("messages.1.content.2.content.1", "http://b/2"),
    ]


def test_images_take_the_place_of_their_urls_and_nothing_else_changes() -> None:
    asked = request([TEXT], [image("http://a/1"), NESTED], [image("http://a/1")])
    before = structs.asdict(asked.messages[1].content[1])
    one, two = (Source(type="base64", media_type="image/png", data=data) for data in ("one", "two"))
    put = with_sources(asked, {"http://a/1": one, "http://b/2": two})
    assert named(put) == []
    assert put.messages[1].content[0].source == put.messages[2].content[0].source == one
    nested = put.messages[1].content[1].content
    assert isinstance(nested, list)
    assert nested[1].source == two
    assert put.messages[0].content == [TEXT]
    assert structs.asdict(asked.messages[1].content[1]) == before  # another target may be given the URL


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://a/b",
        "gopher://a/b",
        "//a/b",
        "http:///b",
        "http://",
        "",
        "http://user@a/b",
        "http://user:secret@a/b",
        "http://a:0/b",
        "http://a:99999/b",
        "http://[::1/b",
        "http://a/b c",
        "http://a/\r\nHost: b",
        "http://a/ü",
        "http://a/" + "b" * MAX_URL,
        "data:image/png,abc",
    ],
)
def test_what_is_no_address_of_the_web_is_refused_with_its_place(url: str) -> None:
    with pytest.raises(BadRequest, match=r"^messages\.0\.content\.1: the image cannot be passed on: .*base64$") as told:
        check([Named("messages.0.content.0", "https://a/b"), Named("messages.0.content.1", url)], 20)
    assert "secret" not in told.value.message
    assert told.value.details == {"param": "messages.0.content.1"}


def test_different_images_are_counted() -> None:
    same = [Named(f"messages.{n}.content.0", "http://a/1") for n in range(30)]
    check(same, 1)
    with pytest.raises(BadRequest, match=r"messages\.9\.content\.0.*at most 1 images"):
        check([*same, Named("messages.9.content.0", "http://a/2")], 1)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n rest", "image/png"),
        (b"\xff\xd8\xff\xe0 rest", "image/jpeg"),
        (b"GIF89a rest", "image/gif"),
        (b"RIFF1234WEBPVP8 ", "image/webp"),
    ],
)
def test_an_image_is_what_its_first_bytes_say(data: bytes, kind: str) -> None:
    source = as_source(data)
    assert source is not None
    assert (source.type, source.media_type, base64.b64decode(source.data)) == ("base64", kind, data)


@pytest.mark.parametrize("data", [b"", b"<svg>", b"<html>", b"RIFF1234WAVE", b"\x89PNG", b"BM", b"%PDF-1.7"])
def test_what_does_not_begin_as_an_image_is_none(data: bytes) -> None:
    assert as_source(data) is None
