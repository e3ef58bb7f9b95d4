"""Chromium by Playwright, with fingers by its developer tools' protocol."""

from pathlib import Path
from typing import Any

from driven import MOVE_MS, PHONE, Driven, Point
from playwright.sync_api import Browser


class Chromium(Driven):
    """A page of a new visitor in a browser that runs already."""

    def __init__(self, browser: Browser, folder: Path):
        super().__init__()
        self.folder = folder
        self._saved: list[Path] = []
        self._contexts = {
            False: browser.new_context(),
            True: browser.new_context(has_touch=True, is_mobile=True),
        }
        self._page = self._contexts[False].new_page()

    def open(self, url: str, size: tuple[int, int] = (1280, 900)) -> None:
        self._page.close()
        self._page = self._contexts[size == PHONE].new_page()
        self._page.on("pageerror", lambda error: self.errors.append(str(error)))
        self._page.on("download", self._keep)
        self._page.set_viewport_size({"width": size[0], "height": size[1]})
        self._page.goto(url)

    def _keep(self, download) -> None:
        path = self.folder / download.suggested_filename
        download.save_as(path)
        self._saved.append(path)

    def evaluate(self, expression: str) -> Any:
        return self._page.evaluate(expression)

    def pointer(self, kind: str, points: list[Point]) -> None:
        if kind == "touch":
            self._touch(points)
            return
        mouse = self._page.mouse
        mouse.move(*points[0])
        mouse.down()
        for point in points[1:]:
            mouse.move(*point)
            self._page.wait_for_timeout(MOVE_MS)
        mouse.up()

    def _touch(self, points: list[Point]) -> None:
        finger = self._page.context.new_cdp_session(self._page)
        kinds = ["touchStart"] + ["touchMove"] * (len(points) - 1)
        for kind, (x, y) in zip(kinds, points, strict=True):
            event = {"type": kind, "touchPoints": [{"x": x, "y": y}]}
            finger.send("Input.dispatchTouchEvent", event)
            self._page.wait_for_timeout(MOVE_MS)
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        finger.detach()

    def press(self, *keys: str) -> None:
        for key in keys:
            self._page.keyboard.press(key)

    def screenshot(self) -> bytes:
        return self._page.screenshot()

    def downloaded(self) -> list[Path]:
        self._page.wait_for_timeout(0)  # lets its events in
        return self._saved

    def close(self) -> None:
        for context in self._contexts.values():
            context.close()
