"""A run's calls as the pictures of an animation: the lanes side by side, a sigma cursor below."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np

from explorer.capture.trajectory import Call
from explorer.records.run import RecordedLane, RecordedRun
from explorer.sampling.calls import STEP
from explorer.sampling.wording import lane_letter

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

PER_SECOND = 12
MOST_FRAMES = 240  # of a long run every other call, or fewer, is shown
HOLD_S = 1.5  # the finished pictures
MOST_SIDE = 1536  # pixels
MOST_PIXELS = 2**26  # of a finished picture: sixteen of 2048 x 2048
MOST_OF_ALL = 2**28  # pixels of all lanes' frames, decoded: those of sixteen lanes
IN_A_ROW = 4  # lanes
GAP, CAPTION, PLOT = 4, 18, 84  # pixels
INK, QUIET, GROUND = "#15181c", "#666e78", "#ffffff"
COLOURS = ("#1b6ac9", "#bf5209", "#8b4e7c", "#00563c", "#5a005a", "#3f04ac")  # as on the page


class NothingToShow(ValueError):
    """A run, or a lane, without frames; the message is a sentence."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Film:
    """The pictures of an animation, drawn one at a time: `frames` of calls, then the finished ones.

    `lanes` are those that are shown, `positions` their places in the run; `view` is "denoised" or
    "noisy"; `has_cursor` adds captions and the sigmas with a mark that moves.
    """

    lanes: tuple[RecordedLane, ...]
    positions: tuple[int, ...]
    view: str = "denoised"
    has_cursor: bool = True

    @cached_property
    def _sheets(self) -> list[np.ndarray]:
        return [lane.sheets[self.view].frames() for lane in self.lanes]

    @cached_property
    def _pictures(self) -> list["Image | None"]:
        return [_opened(lane.picture, self._pane) for lane in self.lanes]

    @cached_property
    def _shown(self) -> list[int]:
        """The calls of the longest lane that have a picture here; all but of very long runs."""
        count = len(self._lead)
        frames = min(count, MOST_FRAMES)
        return [round(at) for at in np.linspace(0, count - 1, frames)]

    @property
    def _lead(self) -> Sequence[Call]:
        return max((lane.trajectory.calls for lane in self.lanes), key=len)

    @property
    def count(self) -> int:
        """How many pictures it has."""
        return len(self._shown) + 1

    @property
    def seconds(self) -> list[float]:
        """How long each of them is shown."""
        return [1 / PER_SECOND] * len(self._shown) + [HOLD_S]

    @cached_property
    def _pane(self) -> tuple[int, int]:
        """A lane's width and height in pixels."""
        width, height = (max(each.shape[axis] for each in self._sheets) for axis in (2, 1))
        columns = min(len(self.lanes), IN_A_ROW)
        rows = -(-len(self.lanes) // columns)
        shrink = max(1.0, columns * width / MOST_SIDE, rows * height / MOST_SIDE)
        return max(2, int(width / shrink)), max(2, int(height / shrink))

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, even numbers, as video wants them."""
        columns = min(len(self.lanes), IN_A_ROW)
        rows = -(-len(self.lanes) // columns)
        caption = CAPTION if self.has_cursor else 0
        width = columns * self._pane[0] + GAP * (columns - 1)
        height = rows * (self._pane[1] + caption) + GAP * (rows - 1)
        height += PLOT if self.has_cursor else 0
        return width + width % 2, height + height % 2

    def draw(self, index: int) -> "Image":
        """One picture; the last one has the finished pictures where there are any."""
        from PIL import Image, ImageDraw

        is_last = index >= len(self._shown)
        at = self._shown[min(index, len(self._shown) - 1)]
        there = self._lead[at]
        calls = [_at_step(lane.trajectory.calls, there) for lane in self.lanes]
        image = Image.new("RGB", self.size, GROUND)
        drawing = ImageDraw.Draw(image)
        for place, lane in enumerate(self.lanes):
            row, column = divmod(place, IN_A_ROW)
            left = column * (self._pane[0] + GAP)
            top = row * (self._pane[1] + GAP + (CAPTION if self.has_cursor else 0))
            picture = self._pictures[place] if is_last else None
            if picture is None:
                picture = Image.fromarray(self._sheets[place][calls[place]])
                picture = picture.resize(self._pane, Image.Resampling.LANCZOS)
            image.paste(picture, (left, top))
            if self.has_cursor:
                call = lane.trajectory.calls[calls[place]]
                self._caption(drawing, place, call, left, top + self._pane[1])
        if self.has_cursor:
            self._plot(drawing, calls)
        return image

    def _caption(self, drawing: "ImageDraw", place: int, call: Call, left: int, top: int) -> None:
        position = self.positions[place]
        half = "" if call.stage == STEP else "\u00bd"
        text = f"step {call.step + 1}{half}  sigma {call.sigma:.3g}"
        label = self.lanes[place].trajectory.label
        letter = lane_letter(position)
        drawing.text((left + 2, top + 2), letter, _colour(position), font=_font())
        full = f"{label}  {text}"
        fits = drawing.textlength(full, font=_font()) <= self._pane[0] - 16
        drawing.text((left + 14, top + 2), full if fits else text, QUIET, font=_font())

    def _plot(self, drawing: "ImageDraw", calls: list[int]) -> None:
        """The lanes' sigmas, on a logarithmic axis, with a mark at the call that is shown."""
        width, height = self.size
        left, right, top, bottom = 30, width - 8, height - PLOT + 8, height - 8
        logs = [[math.log10(max(call.sigma, 1e-6)) for call in lane] for lane in self._calls]
        low, high = min(map(min, logs)), max(map(max, logs))
        high += 1e-9 + (high == low)
        last = max(_place(call) for lane in self._calls for call in lane)
        first = min(_place(call) for lane in self._calls for call in lane)
        span = max(last - first, 1)

        def point(call: Call, log: float) -> tuple[float, float]:
            x = left + (right - left) * (_place(call) - first) / span
            return x, bottom - (bottom - top) * (log - low) / (high - low)

        for tick in range(math.ceil(low), math.floor(high) + 1):
            y = bottom - (bottom - top) * (tick - low) / (high - low)
            drawing.line((left, y, right, y), "#e3e6e9")
            drawing.text((2, y - 7), f"{10.0**tick:g}", QUIET, font=_font())
        for place, lane in enumerate(self._calls):  # a line through the steps, not their midpoints
            steps = [call.stage == STEP for call in lane]
            line = [point(*pair) for pair in zip(lane, logs[place], strict=True)]
            drawing.line(list(compress(line, steps)), _colour(self.positions[place]))
        for place, lane in enumerate(self._calls):
            x, y = point(lane[calls[place]], logs[place][calls[place]])
            colour = _colour(self.positions[place])
            drawing.ellipse((x - 4, y - 4, x + 4, y + 4), colour, GROUND)

    @property
    def _calls(self) -> list[tuple[Call, ...]]:
        return [lane.trajectory.calls for lane in self.lanes]


def film_of(
    run: RecordedRun, lane: int | None = None, view: str = "denoised", has_cursor: bool = True
) -> Film:
    """The film of a run, or of one of its lanes; raises NothingToShow where it has no frames."""
    chosen = range(len(run)) if lane is None else [lane]
    shown = [at for at in chosen if view in run.lanes[at].sheets and run[at].calls]
    if not shown:
        raise NothingToShow("There are no frames to animate: the run ended before its first call.")
    for at in shown:
        check_levels(run[at].calls)
        if run.lanes[at].sheets[view].count != len(run[at].calls):
            raise NothingToShow("The frames are not those of the run's calls.")
    lanes = tuple(run.lanes[at] for at in shown)
    sheets = [lane.sheets[view] for lane in lanes]
    if sum(each.rows * each.columns * each.width * each.height for each in sheets) > MOST_OF_ALL:
        raise NothingToShow("All lanes together are too large to animate: choose one of them.")
    return Film(lanes=lanes, positions=tuple(shown), view=view, has_cursor=has_cursor)


def check_levels(calls: Sequence[Call]) -> None:
    """Raise NothingToShow for noise levels that are no numbers, as a stranger's file may have."""
    if not all(math.isfinite(number) for call in calls for number in (call.sigma, call.timestep)):
        raise NothingToShow("The noise levels of this run are not numbers.")


def _opened(picture: bytes | None, size: tuple[int, int]) -> "Image | None":
    """A lane's finished picture in another size, as all of them in full would take gigabytes.

    None for a file that is none of ours, or far too large.
    """
    from PIL import Image

    if picture is None:
        return None
    try:
        with Image.open(io.BytesIO(picture), formats=["PNG"]) as image:
            if math.prod(image.size) > MOST_PIXELS:
                return None
            return image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    except Exception:  # a decoder of damaged bytes may raise anything
        return None


def _at_step(calls: Sequence[Call], there: Call) -> int:
    """The last call that is not past another lane's step, as the page aligns them."""
    before = [at for at, call in enumerate(calls) if _place(call) <= _place(there)]
    return before[-1] if before else 0


def _place(call: Call) -> float:
    return call.step + (0 if call.stage == STEP else 0.5)


def _colour(position: int) -> str:
    return COLOURS[position % len(COLOURS)]


def _font():
    from PIL import ImageFont

    return ImageFont.load_default(11)
