"""Whether what a page shows can be read: contrast of text (WCAG 2.2, 1.4.3), names of controls (4.1.2)."""

from pathlib import Path

from playwright.sync_api import Page

_HERE = Path(__file__).parent / "browser"
_FAINT, _NAMELESS = ((_HERE / name).read_text("utf-8") for name in ("faint.js", "nameless.js"))


def faint(page: Page) -> list[str]:
    """Texts whose contrast to their ground is less than 4.5 : 1."""
    return list(map(str, page.evaluate(_FAINT)))


def nameless(page: Page) -> list[str]:
    """Controls and pictures without a name that can be read out."""
    return list(map(str, page.evaluate(_NAMELESS)))
