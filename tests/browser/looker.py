"""One page of the browser, and all that a page must not do: fail, complain, or ask anybody but its own server."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.processes import PATIENCE_S

WIDTHS, THEMES = (390, 768, 1440), ("light", "dark")
# What a browser itself says of what a test is about.
LOST = r"net::ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|EMPTY_RESPONSE)"
NOT_FOUND = r"the server responded with a status of 404"
SANDBOXED = r"^Blocked script execution in .* because the document's frame is sandboxed"


class Looker:
    """page: Playwright's. pictures: the folder for screenshots."""

    def __init__(self, page: Page, address: str, pictures: Path):
        self.page, self.address, self.pictures = page, address, pictures
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.expected = ""  # pattern of messages that are no fault
        page.set_default_timeout(1000 * PATIENCE_S)
        page.on("console", lambda message: self._said(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", lambda request: self.requests.append(request.url))

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not (self.expected and re.search(self.expected, text)):
            self.complaints.append(f"{kind}: {text}")

    def go(self, path: str) -> None:
        """To a page, until it has what it shows first."""
        self.page.goto(self.address + path)
        self.page.wait_for_selector("main[data-ready]")

    def wait(self, what: str, condition: Callable[[], Any]) -> Any:
        """What the condition gives, as soon as it gives something."""
        until = time.monotonic() + PATIENCE_S
        while not (found := condition()):
            assert time.monotonic() < until, f"{what}; the page says: {self.page.inner_text('main')[:1500]}"
            self.page.wait_for_timeout(100)
        return found

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()

    def points(self, title: str) -> int:
        """How many points the first line of a chart has."""
        way = self.page.locator("figure.chart", has=self.page.get_by_role("heading", name=title)).locator("path")
        return len(re.findall(r"[ML]", way.first.get_attribute("d") or "")) if way.count() else 0

    def shift(self) -> float:
        """How much of the page has moved by itself so far: Cumulative Layout Shift, https://web.dev/articles/cls."""
        return float(
            self.page.evaluate(
                """() => new Promise((done) => {
                 const sum = (list) => list.reduce((all, each) => all + (each.hadRecentInput ? 0 : each.value), 0);
                 new PerformanceObserver((list) => done(sum(list.getEntries())))
                   .observe({ type: "layout-shift", buffered: true });
                 setTimeout(() => done(0), 1000); // nothing has moved, so nothing comes
               })"""
            )
        )

    def look(self, name: str) -> None:
        """The page in every width and theme: nothing wider than the screen, nothing that axe finds serious."""
        for theme in THEMES:
            self.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            for width in WIDTHS:
                self.page.set_viewport_size({"width": width, "height": 900})
                self.page.wait_for_timeout(150)  # for charts, which are drawn anew
                over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert self.page.evaluate(over) <= 0, f"{name} at {width} pixels is too wide"
                self.page.screenshot(path=self.pictures / f"{name}-{width}-{theme}.png", full_page=True)
                self._axe(f"{name} at {width} pixels, {theme}")

    def _axe(self, name: str) -> None:
        found = Axe().run(self.page).response["violations"]
        bad = [
            f"{each['id']}: {node['html'][:200]}"
            for each in found
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]
        assert not bad, f"{name}: {bad}"

    def check(self) -> None:
        """Nothing was complained of, and nobody else was asked."""
        assert not self.complaints, self.complaints
        assert self.requests
        own = urlsplit(self.address).netloc
        others = [url for url in self.requests if urlsplit(url).scheme != "data" and urlsplit(url).netloc != own]
        assert not others, others
