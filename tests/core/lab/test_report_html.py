"""A backtest's report as a page."""

from html.parser import HTMLParser
from xml.etree import ElementTree

from reported import HOSTILE, empty, full

from core.lab.report_html import html

#: Elements that have no end.
VOID = {"meta"}


class Page(HTMLParser):
    """What a browser would find."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.said = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data


def test_the_page_is_whole_and_says_what_was_found() -> None:
    page = Page(html(full(), ["--max-flips 1%: it is 2.211%"], ["--max-flips 1%"]))
    assert page.open == []
    assert page.tags.count("svg") == 3
    for said in (
        "exceeded: --max-flips 1%: it is 2.211%",
        "21 (2.211 %)",
        "a,b → c,d: 19",
        "1970-01-02, candidate: 1 USD",
    ):
        assert said in page.said


def test_it_needs_nothing_else() -> None:
    page = Page(html(full(name=HOSTILE, target=HOSTILE)))
    assert not {"script", "link", "img", "iframe", "object", "base", "form", "a"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in ("src", "href") or name.startswith("on")]
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    assert "url(" not in html(full())


def test_whatever_a_name_says_is_text() -> None:
    written = html(full(name=HOSTILE, target=HOSTILE))
    assert "<script" not in written
    assert 'alert("x")' not in written
    assert '<script>alert("x")</script>' in Page(written).said
    assert "\x1b" not in written
    assert "\u202e" not in written


def test_the_plots_are_well_formed() -> None:
    for page in (html(full()), html(full(target=HOSTILE))):
        for piece in page.split("<svg")[1:]:
            root = ElementTree.fromstring(f"<svg{piece.partition('</svg>')[0]}</svg>")  # noqa: S314 - our own
            assert len(root) > 3


def test_of_nothing_there_is_no_plot() -> None:
    assert "svg" not in Page(html(empty())).tags
    assert "Backtest of x.wasm" in html(empty())
