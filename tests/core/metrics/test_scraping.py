"""Who asks at the same time gets one text."""

import asyncio
import gzip
import threading

from core.metrics.exposition import OPENMETRICS, PLAIN
from core.metrics.scraping import Page, Scraping


class Reading:
    """Makes a text when it may."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.may = threading.Event()
        self.threads: set[int] = set()

    def __call__(self, form: str) -> bytes:
        self.made.append(form)
        self.threads.add(threading.get_ident())
        assert self.may.wait(10)
        return f"{form} {len(self.made)}".encode()


async def begun() -> tuple[Reading, Scraping, asyncio.Task[Page]]:
    """A first text is being made, and may not be finished yet."""
    read = Reading()
    scraping = Scraping(read)
    first = asyncio.create_task(scraping.page("", ""))
    while not read.made:  # noqa: ASYNC110  # a thread begins
        await asyncio.sleep(0.001)
    return read, scraping, first


def test_a_hundred_who_ask_at_once_wait_for_two_texts_at_most() -> None:
    async def run() -> None:
        read, scraping, first = await begun()
        others = [asyncio.create_task(scraping.page("", "")) for _ in range(100)]
        await asyncio.sleep(0)
        read.may.set()
        assert (await first).body == f"{PLAIN} 1".encode()
        pages = await asyncio.gather(*others)
        # What was being made when they asked may lack what they asked for.
        assert {page.body for page in pages} == {f"{PLAIN} 2".encode()}
        assert threading.get_ident() not in read.threads
        assert (await scraping.page("", "")).body == f"{PLAIN} 3".encode()

    asyncio.run(run())


def asked(accept: str, accept_encoding: str) -> Page:
    read, took = Reading(), list[float]()
    read.may.set()
    page = asyncio.run(Scraping(read, took.append).page(accept, accept_encoding))
    assert len(took) == 1
    return page


def test_it_is_compressed_for_who_takes_that() -> None:
    plain, packed = asked("", "deflate"), asked("", "deflate, GZIP;q=1")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert plain.headers["vary"] == "accept, accept-encoding"


def test_plain_and_compressed_are_one_text() -> None:
    async def run() -> None:
        read, scraping, first = await begun()
        others = [asyncio.create_task(scraping.page("", kind)) for kind in ("gzip", "", "gzip")]
        await asyncio.sleep(0)
        read.may.set()
        await first
        packed, plain, again = await asyncio.gather(*others)
        assert gzip.decompress(packed.body) == plain.body == f"{PLAIN} 2".encode()
        assert again.body is packed.body

    asyncio.run(run())


def test_the_content_type_is_the_formats() -> None:
    assert asked("application/openmetrics-text", "").headers["content-type"] == OPENMETRICS
    assert asked("text/html", "").headers["content-type"] == PLAIN


def test_a_reader_that_fails_fails_only_who_asked() -> None:
    calls = 0

    def read(_: str) -> bytes:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError("disk")
        return b"x"

    async def run() -> None:
        scraping = Scraping(read)
        found = await asyncio.gather(scraping.page("", ""), return_exceptions=True)
        assert isinstance(found[0], OSError)
        assert (await scraping.page("", "")).body == b"x"

    asyncio.run(run())
