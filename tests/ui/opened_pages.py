"""Pages in a browser's context, ready for use, whose errors fail the test that opened them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import BrowserContext, ConsoleMessage, Page


def violations(message: ConsoleMessage) -> list[str]:
    """What the browser says that the page's own Content-Security-Policy forbids."""
    return [message.text] if "Content Security Policy" in message.text else []


@contextmanager
def opening(context: BrowserContext, server: str) -> Iterator[Callable[..., Page]]:
    """Opens pages and waits until they can be used; an error in one fails whoever used it."""
    pages, errors = [], []

    def open_page(query: str = "", width: int = 1280, height: int = 800) -> Page:
        page = context.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.extend(violations(message)))
        page.goto(server + query)
        page.wait_for_selector("#plot .nsewdrag")
        page.wait_for_selector("#stop[aria-disabled=true]")
        return page

    yield open_page
    for page in pages:
        page.close()
    assert errors == [], errors
