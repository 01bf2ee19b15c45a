"""What the tests in a browser share: the browser, and what a reader would see as wrong."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser without a window; skips where there is none.

    It goes away with the module: its event loop is in the way of other ones.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs a browser: Debian's package chromium")
    reason = "needs the package playwright: pip install hepflow[test]"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        yield found
        found.close()


@pytest.fixture(scope="session")
def layout() -> str:
    """Script that lists what is cut off, overlaps or is hard to read."""
    return (Path(__file__).parent / "layout.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def loaded() -> str:
    """Script that waits for the figures; it fails where one does not load."""
    return "Promise.all([...document.images].filter((one) => one.src).map((one) => one.decode()))"


@pytest.fixture(scope="module")
def window(browser) -> Iterator[Any]:
    """One page for all tests of a module, with all that the browser complained about."""
    context = browser.new_context(reduced_motion="reduce")
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    page.on("request", lambda one: complaints.extend(_elsewhere(one.url)))
    yield page, complaints
    context.close()


@pytest.fixture
def opened(window, report, loaded) -> Iterator[Any]:
    """Open the report of a test module; what the browser complains about fails the test."""
    page, complaints = window

    def of(size: str = "desk", look: str = "light") -> Any:
        page.set_viewport_size(SIZES[size])
        page.emulate_media(media="screen", color_scheme=look)
        page.goto("about:blank")
        page.goto(report.as_uri())
        page.evaluate("localStorage.clear()")
        page.reload()
        page.evaluate(loaded)
        return page

    yield of
    found = list(complaints)
    complaints.clear()
    assert found == []


def _elsewhere(url: str) -> list[str]:
    return [] if url.startswith(("file:", "data:", "about:")) else [f"asks for {url}"]
