"""A model's measured times on its device, and what a run's parts take by them."""

import math
from bisect import bisect
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

# What a call of a run takes beside the network for each of its lanes: the sampler's step, and what
# is recorded of it. It is Python's time, the same for all sizes and numbers of pictures, on a CPU
# and with a GPU.
LANE_S = 0.002
FRAME_S = 0.0005  # likewise for a frame, beside its decoding
END_S = 0.04  # what the last event waits for: half of the time between two events

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Rate:
    """Seconds for a unit of work, measured at some sizes of the whole.

    `points` are (size, seconds) by increasing size. Between them the logarithm of the seconds is
    linear in that of the size; beyond them it is the nearest one's.
    """

    points: Points

    def __call__(self, size: float) -> float:
        """The seconds for a unit of work at this size."""
        at = bisect(self.points, (size, math.inf))
        if at == 0 or at == len(self.points):
            return self.points[min(at, len(self.points) - 1)][1]
        (size_0, seconds_0), (size_1, seconds_1) = self.points[at - 1 : at + 1]
        share = math.log(size / size_0) / math.log(size_1 / size_0)
        return seconds_0 * (seconds_1 / seconds_0) ** share


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long a model's parts take on its device, in seconds; sizes are pixels of a latent.

    A call of the U-Net on a batch takes `overhead`, and the `operation` rate for each of its
    floating-point operations: for an element of the batch `operations`, a constant, those of a
    pixel, those of a pixel squared (attention). The rate depends on the size of a latent, on a GPU
    (`by_batch`) on that of the whole batch. The first call of a batch of a new shape takes `first`
    longer, up to `graphed` pixels of a batch: then its graph is made. `picture` and `frame` are the
    rates of a pixel in a picture by the VAE, its file included, and in a frame. `start` comes
    before the first call.
    """

    native: tuple[int, int]
    scale: int
    overhead: float
    operations: tuple[float, float, float]
    operation: Rate
    by_batch: bool
    first: float
    graphed: int
    picture: Rate
    frame: Rate
    start: float
    doubles: bool  # whether guidance doubles the batch
    overlaps: bool  # whether frames are made while the calls go on

    def pixels(self, width: int, height: int) -> int:
        """Pixels of a latent for a picture's size in pixels, 0 the model's own."""
        width, height = width or self.native[0], height or self.native[1]
        return max(1, width // self.scale) * max(1, height // self.scale)

    def call_s(self, batch: int, pixels: int) -> float:
        """A call of the U-Net on a batch of latents."""
        constant, linear, squared = self.operations
        operations = batch * (constant + linear * pixels + squared * pixels**2)
        size = batch * pixels if self.by_batch else pixels
        return self.overhead + operations * self.operation(size)

    def step_s(self, batch: int, pixels: int, lanes: int) -> float:
        """A call of a run on a batch of latents: the network's, and what the lanes make of it."""
        return self.call_s(batch, pixels) + LANE_S * lanes

    def first_s(self, batch: int, pixels: int) -> float:
        """What the first call on a batch of this shape takes longer."""
        if batch * pixels > self.graphed:
            return 0.0
        return self.first + 2 * self.call_s(batch, pixels)

    def decoders_first_s(self) -> float:
        """What the first pictures and frames of another size take longer.

        On a GPU each of their two decoders makes a graph too, or has its libraries choose anew.
        """
        return 2 * self.first if self.by_batch else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Pace":
        """Read `to_dict`'s data; raises ValueError, TypeError or KeyError for anything else."""
        rates = {name: _rate(data[name]) for name in ("operation", "picture", "frame")}
        read: dict[str, Any] = {each.name: data[each.name] for each in fields(cls)}
        for name in ("native", "operations"):
            read[name] = tuple(read[name])
        numbers = [
            *(read[name] for name in ("scale", "overhead", "first", "graphed", "start")),
            *read["native"],
            *read["operations"],
        ]
        sizes = len(read["native"]), len(read["operations"])
        least = min((read["scale"], *read["native"]), default=0)
        if sizes != (2, 3) or not all(_is_time(each) for each in numbers) or not least:
            raise ValueError("not a pace")
        return cls(**{**read, **rates})


def _rate(data: Any) -> Rate:
    points = tuple((size, seconds) for size, seconds in data["points"])
    numbers = [each for point in points for each in point]
    sizes = [size for size, _ in points]
    if not points or sorted(set(sizes)) != sizes or not all(_is_time(n) and n for n in numbers):
        raise ValueError("not a rate")
    return Rate(points)


def _is_time(number: Any) -> bool:
    return type(number) in (int, float) and 0 <= number < math.inf
