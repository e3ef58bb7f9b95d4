"""A browser as a test drives it: a few verbs, the same in every engine.

What an engine's driver must do itself is abstract here; see driven_chromium.py, driven_firefox.py
and driven_webkit.py. The page is touched as a person touches it, by pointer and keys; it is read
with JavaScript.
"""

import json
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Literal, Self

Point = tuple[float, float]
PATIENCE_S = 60.0
POLL_S = 0.05
PHONE = (390, 844)

# Where an element can be pressed, once it is in sight, at rest and nothing lies on it.
PLACE = """(async (query, x, y) => {
    const one = document.querySelector(query);
    if (!one) return `there is no ${query}`;
    one.scrollIntoView({ block: "nearest", inline: "nearest" });
    const box = () => one.getBoundingClientRect();
    const before = box();
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    const { left, top, width, height } = box();
    if (!width || !height) return `${query} takes no room`;
    if (before.left !== left || before.top !== top) return `${query} moves`;
    const place = [left + x * width, top + y * height];
    const hit = document.elementFromPoint(...place);
    const isHit = hit && [one, hit.closest("label")].some((each) => each?.contains(hit));
    if (isHit || hit?.contains(one)) return place;
    return `${query} is covered by ${hit?.outerHTML.slice(0, 120)}`;
})"""


class Driven(ABC):
    """One page in one browser; `errors` are its uncaught ones, as far as the driver tells them."""

    has_fingers = True  # does the driver's finger reach the page as one?

    def __init__(self) -> None:
        self.errors: list[str] = []

    # --- what each driver does itself ------------------------------------------------------------

    @abstractmethod
    def open(self, url: str, size: tuple[int, int] = (1280, 900)) -> None:
        """Load a page in a window whose inside has this size, in CSS pixels."""

    @abstractmethod
    def evaluate(self, expression: str) -> Any:
        """What a JavaScript expression is, as JSON; a promise's value where it is one."""

    @abstractmethod
    def pointer(self, kind: Literal["mouse", "touch"], points: list[Point]) -> None:
        """Press at the first point, move over the others, let go at the last."""

    @abstractmethod
    def press(self, *keys: str) -> None:
        """One key after the other; "Control+a" is both at once."""

    @abstractmethod
    def screenshot(self) -> bytes:
        """The window's inside as a PNG."""

    @abstractmethod
    def downloaded(self) -> list[Path]:
        """The files that pages have saved, whole ones."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # --- what follows from that ------------------------------------------------------------------

    def open_phone(self, url: str) -> None:
        """Load a page that is as wide as a phone."""
        self.open(url, PHONE)

    def wait(self, condition: str) -> None:
        """Until a JavaScript condition holds, also on a page that is being loaded meanwhile."""
        until = time.monotonic() + PATIENCE_S
        while not self.evaluate(
            f"(() => {{ try {{ return Boolean({condition}); }} catch {{}} }})()"
        ):
            assert time.monotonic() < until, f"never came true: {condition}"
            time.sleep(POLL_S)

    def place(self, query: str, x: float = 0.5, y: float = 0.5) -> Point:
        """A point of an element, as shares of its width and height, where it can be pressed."""
        until = time.monotonic() + PATIENCE_S
        while isinstance(place := self.evaluate(f"{PLACE}({json.dumps(query)}, {x}, {y})"), str):
            assert time.monotonic() < until, place
            time.sleep(POLL_S)
        return tuple(place)

    def click(self, query: str, kind: Literal["mouse", "touch"] = "mouse") -> None:
        self.pointer(kind, [self.place(query)])

    def drag(
        self, kind: Literal["mouse", "touch"], start: Point, end: Point, moves: int = 12
    ) -> None:
        (left, top), (right, bottom) = start, end
        shares = [move / moves for move in range(moves + 1)]
        self.pointer(
            kind, [(left + at * (right - left), top + at * (bottom - top)) for at in shares]
        )

    def fill(self, query: str, text: str) -> None:
        """Type over what stands in a box."""
        self.click(query)
        self.wait(f"document.activeElement === document.querySelector({json.dumps(query)})")
        self.press("Control+a", *text)

    def wait_for_file(self, suffix: str) -> Path:
        """The newest file of a kind that a page has saved."""
        until = time.monotonic() + PATIENCE_S
        while not (files := [one for one in self.downloaded() if one.suffix == suffix]):
            assert time.monotonic() < until, f"no {suffix} was saved"
            time.sleep(POLL_S)
        return files[-1]


# --- the actions of the WebDriver standards -------------------------------------------------------

KEYS = {
    "Tab": "\ue004",
    "Enter": "\ue007",
    "Control": "\ue009",
    "Escape": "\ue00c",
    "Space": " ",
    "End": "\ue010",
    "Home": "\ue011",
    "ArrowLeft": "\ue012",
    "ArrowUp": "\ue013",
    "ArrowRight": "\ue014",
    "ArrowDown": "\ue015",
}
MOVE_MS = 30  # from one point to the next: a frame or two


def pointer_actions(kind: str, points: list[Point]) -> list[dict]:
    """A press, moves and a release, as WebDriver and WebDriver BiDi both have it."""
    moves = [
        {"type": "pointerMove", "x": round(x), "y": round(y), "duration": MOVE_MS if at else 0}
        for at, (x, y) in enumerate(points)
    ]
    down, up = ({"type": each, "button": 0} for each in ("pointerDown", "pointerUp"))
    return [
        {
            "type": "pointer",
            "id": kind,
            "parameters": {"pointerType": kind},
            "actions": [moves[0], down, *moves[1:], up],
        }
    ]


def key_actions(keys: tuple[str, ...]) -> list[dict]:
    """Keys, one after the other, likewise."""
    actions = []
    for key in keys:
        together = [KEYS.get(each, each) for each in (key.split("+") if len(key) > 1 else [key])]
        actions += [{"type": "keyDown", "value": each} for each in together]
        actions += [{"type": "keyUp", "value": each} for each in reversed(together)]
    return [{"type": "key", "id": "keyboard", "actions": actions}]
