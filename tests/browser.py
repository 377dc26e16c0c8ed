"""A browser that lets nothing pass."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

Show = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@dataclass
class Opened:
    """Pages that are open, and what went wrong on them: requests to a network, script errors, words on the console."""

    chromium: Browser
    pages: list[Page] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def show(self, address: Path | str, width: int = 1200, may_fail: bool = False, **options: Any) -> Page:
        """Open a folder's report, or a local server's page; `may_fail`: whether that server is going to end."""
        url = address if isinstance(address, str) else (address / "report.html").as_uri()
        page = self.chromium.new_page(viewport={"width": width, "height": 900}, **options)
        self.pages.append(page)
        wrong = self.wrong
        page.on("pageerror", lambda error: wrong.append(str(error)))
        if not may_fail:
            page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        allowed = ("file:", "data:", "blob:", "http://127.0.0.1:")
        page.on("request", lambda asked: None if asked.url.startswith(allowed) else wrong.append(asked.url))
        page.goto(url)
        return page

    def close(self) -> None:
        for page in self.pages:
            page.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Show]:
    """Opens pages; any request to a network, script error or word on the console fails the test."""
    opened = Opened(chromium)
    yield opened.show
    opened.close()
    assert opened.wrong == []
