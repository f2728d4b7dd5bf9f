"""A real Chromium for tests of the page: `with chromium() as browser`, `with visiting(browser, proxy) as visit`."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request, expect, sync_playwright
from proxy import RunningProxy

#: A hang bound, not a measurement.
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)
#: What a page of ours must not do, told to the console as errors: what a policy stopped, and what ran all the same.
_WATCH = """
addEventListener("securitypolicyviolation", (event) => console.error(
  `violation of ${event.effectiveDirective}: ${event.blockedURI} ${event.sample}`));
"""


@contextmanager
def chromium(*options: str) -> Iterator[Browser]:
    """Debian's Chromium without a window. Where it is missing a test is skipped loudly; `.ci/run` fails then."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("SKIPPED: chromium is not installed (Debian: apt-get install chromium)")
    sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium refuses to start as root with it
    with tempfile.TemporaryDirectory(prefix="chromium-") as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=[*sandbox, "--disable-dev-shm-usage", *options],
            env={"HOME": home, "PATH": os.defpath, "LANG": "C.UTF-8"},
            timeout=PATIENCE_MS * 3,
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """A reader's page, and everything that it must not have done: `problems`."""

    page: Page
    origin: str
    problems: list[str] = field(default_factory=list)
    #: Parts of problems that the test wants to happen.
    wanted: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def go(self, place: str) -> None:
        """Another view of the page: `#/flow`."""
        self.page.evaluate("(place) => { location.hash = place; }", place)

    def unwanted(self) -> list[str]:
        """Problems that the test did not ask for."""
        return [each for each in self.problems if not any(part in each for part in self.wanted)]

    def watch(self) -> None:
        """Note what the console, dialogs and the network say from now on."""
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("request", self._asked)
        self.page.on("dialog", self._opened)
        self.page.on("popup", lambda page: self.problems.append(f"popup: {page.url}"))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"{message.type}: {message.text}")

    def _opened(self, dialog: Dialog) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith((f"{self.origin}/ui", f"{self.origin}/admin/", "data:")):
            self.problems.append(f"asked elsewhere: {request.url}")


@contextmanager
def visiting(
    browser: Browser,
    proxy: RunningProxy,
    place: str = "#/live",
    *,
    token: bool = True,
    script: str = "",
    **options: Any,
) -> Iterator[Visit]:
    """The page as a reader opens it, by the banner's link; at the end nothing that it must not do was done.

    `script` runs in it before its own; `options` are those of Playwright's contexts.
    """
    context: BrowserContext = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(_WATCH + script)
    visit = Visit(context.new_page(), proxy.url)
    visit.watch()
    try:
        visit.page.goto(f"{proxy.url}/ui{f'#token={proxy.token}' if token else place}")
        visit.page.locator("#app > *").first.wait_for()
        if token:
            visit.go(place)
        yield visit
    finally:
        context.close()
    assert visit.unwanted() == []
