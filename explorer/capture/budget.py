"""The size of a recording and whether it fits, computed before the run."""

import math
import os
from dataclasses import dataclass

from explorer.byte_sizes import GIB, size_text
from explorer.runtime.free_memory import free_bytes
from explorer.runtime.memory_plan import TooLarge
from explorer.sampling.wording import joined
from explorer.settings import RunSettings
from explorer.settings.limit_options import read_variable, variable
from explorer.settings.limits import LIMITS

LIMIT_VARIABLE = variable("recording_gib")
MOST = 8 * GIB  # unless the operator says otherwise
PREVIEW_SIDE = 256  # the longer side of a frame, however many pictures it shows
FLOAT16 = 2  # bytes of a number
LATENT_CHANNELS, LATENT_SCALE = 4, 8  # of every family's autoencoder that can be run here


@dataclass(frozen=True, kw_only=True)
class Recording:
    """The size of a run's recording before it is made.

    `calls` are the model calls of each lane, `latent` is channels x height x width of one latent,
    `picture` height x width in pixels.
    """

    calls: tuple[int, ...]
    images: int
    latent: tuple[int, int, int]
    picture: tuple[int, int]

    @classmethod
    def of_run(
        cls,
        settings: RunSettings,
        size: tuple[int, int],
        channels: int = LATENT_CHANNELS,
        scale: int = LATENT_SCALE,
    ) -> "Recording":
        """The recording of a run of pictures of this width and height in pixels."""
        width, height = size
        return cls(
            calls=tuple(step_range.nfe for step_range in settings.step_ranges),
            images=settings.batch_size,
            latent=(channels, height // scale, width // scale),
            picture=(height, width),
        )

    @property
    def call_bytes(self) -> int:
        """One recorded call of one lane: latent and prediction in half precision, two frames."""
        arrays = 2 * FLOAT16 * self.images * math.prod(self.latent)
        return arrays + 2 * 3 * PREVIEW_SIDE**2

    @property
    def total_bytes(self) -> int:
        """The whole run: all calls of all lanes, their last latents and their pictures."""
        ends = self.images * (4 * math.prod(self.latent) + 3 * math.prod(self.picture))
        return sum(self.calls) * self.call_bytes + len(self.calls) * ends

    @property
    def _counts(self) -> str:
        """The lanes and their calls in words."""
        lanes = f"{len(self.calls)} lanes" if len(self.calls) > 1 else "1 lane"
        return f"{lanes} of {joined(dict.fromkeys(self.calls))}"

    def check(self, limit: int) -> None:
        """Raise TooLarge if the recording would exceed `limit` bytes."""
        if self.total_bytes > limit:
            raise TooLarge(
                f"Recording this run would take {size_text(self.total_bytes)}: {self._counts} "
                f"model calls, {size_text(self.call_bytes)} each. There is room for "
                f"{size_text(limit)}. Lower the steps, the batch size, the picture's size or the "
                f"number of lanes; whoever runs the server can raise {LIMIT_VARIABLE}."
            )


def limit_bytes() -> int:
    """The limit of a recording: the operator's, else half of the free memory, at most 8 GiB.

    Without limits set by the program, it is read from the environment. Raises ValueError if that is
    not a positive number.
    """
    gib = LIMITS.recording_gib or read_variable("recording_gib", os.environ)
    return int(gib * GIB) if gib else min(MOST, free_bytes() // 2)
