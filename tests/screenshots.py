"""`python -m screenshots`: the pictures of the README, of a real proxy with generated traffic, into `docs/images/`.

Answers are simulated; who asks, what is decided and why, and what it would cost is as in life.
"""

import os
import subprocess
import sys
import tempfile

from browsing import Visit, chromium, visiting
from facts import ROOT
from playwright.sync_api import Browser
from proxy import RunningProxy, running

OUT = ROOT / "docs" / "images"
#: What the pictures show, and what goes on while they are taken.
REQUESTS, MANY, SEED = 600, 100_000, 8
SIZE = {"width": 1200, "height": 780}
MOST_BYTES = 250_000


def requests(visit: Visit) -> None:
    """The list, with one that a phrase decided open beside it."""
    page = visit.page
    page.get_by_label("Filter requests").fill("reason:concept")
    page.locator("tr[aria-rowindex] button").first.wait_for()
    page.locator("tr[aria-rowindex] button").nth(2).click()
    page.locator(".candidates").wait_for()
    page.get_by_label("Filter requests").fill("")


def flow(visit: Visit) -> None:
    """Where requests go."""
    visit.page.locator(".ribbons path").first.wait_for()


#: Name, place, what to do there.
PICTURES = (("requests", "#/live", requests), ("flow", "#/flow?by=count&minutes=60", flow))


def take(browser: Browser, proxy: RunningProxy, theme: str) -> None:
    """All pictures in one theme."""
    for name, place, prepare in PICTURES:
        with visiting(browser, proxy, place, viewport=SIZE, color_scheme=theme, reduced_motion="reduce") as visit:
            visit.page.get_by_label("Hide this").click()
            prepare(visit)
            visit.page.mouse.move(0, 0)
            visit.page.evaluate("document.fonts.ready.then(() => document.activeElement.blur())")
            file = OUT / f"{name}-{theme}.png"
            visit.page.screenshot(path=file, animations="disabled")
        size = file.stat().st_size
        print(f"{file.relative_to(ROOT)}: {size:,} bytes")
        if size > MOST_BYTES:
            sys.exit(f"{file.name} is larger than {MOST_BYTES:,} bytes")


def traffic(proxy: RunningProxy, requests: int, seed: int) -> list[str]:
    """The command that sends generated requests."""
    command = [sys.executable, "-I", "-m", "core.cli", "traffic", "--to", proxy.url]
    return [*command, "--requests", str(requests), "--seed", str(seed)]


def main() -> None:
    """A proxy, its traffic, the pictures."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        env = {"HOME": home, "PATH": os.defpath, "LANG": "C.UTF-8", "TERRAPHIM_DISCOVERY": "off"}
        with running(env) as proxy, chromium() as browser:
            subprocess.run(traffic(proxy, REQUESTS, SEED), env=env, check=True, cwd=home)
            more = subprocess.Popen(traffic(proxy, MANY, SEED + 1), env=env, cwd=home)
            try:
                for theme in ("light", "dark"):
                    take(browser, proxy, theme)
            finally:
                more.kill()
                more.wait()


if __name__ == "__main__":
    main()
