"""Recorded calls in full size, decoded by the VAE a few at a time, what is on screen first."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import numpy as np

from explorer.capture.grids import grid
from explorer.capture.sheets import NOISY_QUALITY
from explorer.capture.trajectory import Trajectory
from explorer.models.previews import VaeDecoder, jpeg
from explorer.settings.limits import LIMITS

QUALITIES = {"denoised": 90, "noisy": NOISY_QUALITY}  # of JPEGs, by view
VIEWS = tuple(QUALITIES)
BATCH_PIXELS = 2**20  # decoded between two checks of the device's queue
ENCODERS = 4
WAITING_PIXELS = 2**24  # of decoded pictures that wait for an encoder: about 200 MB with copies

Key = tuple[int, int, str]  # lane, call, view


@dataclass(frozen=True)
class FullFrame:
    """One call of one lane in full size as a JPEG: plain data, picklable.

    `view` is "denoised" or "noisy", the latter at unit variance; a batch of pictures is one grid.
    `device_s` is for how many seconds the device was used for it.
    """

    lane: int
    call: int
    view: str
    jpeg: bytes
    device_s: float = field(default=0.0, compare=False)


def outwards(counts: Sequence[int], cursor: Sequence[int] = (), view: str = VIEWS[0]) -> list[Key]:
    """Every frame of lanes with `counts` calls, the nearest to each lane's `cursor` first.

    The other view follows after all of `view`. A lane without a cursor starts at its last call.
    """
    views = sorted(VIEWS, key=lambda each: each != view)
    starts = [
        min(max(cursor[lane], 0), count - 1) if lane < len(cursor) else count - 1
        for lane, count in enumerate(counts)
    ]
    calls = [(lane, call) for lane, count in enumerate(counts) for call in range(count)]
    calls.sort(key=lambda each: (abs(each[1] - starts[each[0]]), each[0]))
    return [(lane, call, each) for each in views for lane, call in calls]


def batches(keys: Sequence[Key], pixels: int, on_gpu: bool) -> Iterator[Sequence[Key]]:
    """The keys in slices of at most BATCH_PIXELS, of frames that hold `pixels` each.

    A CPU, which gains nothing from batches, makes one at a time.
    """
    size = max(1, min(8, BATCH_PIXELS // max(1, pixels))) if on_gpu else 1
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


def latents_of(trajectories: Sequence[Trajectory], key: Key) -> np.ndarray:
    """The VAE's input for a frame: float32 (batch, C, H, W), from the recorded half precision."""
    lane, index, view = key
    call = trajectories[lane].calls[index]
    return call.denoised if view == VIEWS[0] else call.latent / np.float32(call.noise_scale)


class FrameMaker:
    """Decodes frames while encoding earlier ones. Close it, or use it as a context manager."""

    def __init__(self, trajectories: Sequence[Trajectory]):
        self._trajectories = trajectories
        self._encoders = ThreadPoolExecutor(ENCODERS, "full-frames")
        self._encoding: list[Future[FullFrame]] = []
        self._sizes: dict[Future[FullFrame], int] = {}  # in pixels, of those that are not encoded
        self._uncounted_s = 0.0  # of the device, for frames that were left out

    def decode(self, decoder: VaeDecoder, keys: Sequence[Key]) -> None:
        """Decode frames; one with a non-finite picture is left out."""
        since = time.perf_counter()
        decoding = [(key, decoder.begin(latents_of(self._trajectories, key))) for key in keys]
        for key, finish in decoding:
            try:
                pictures = finish()
            except FloatingPointError:
                continue
            pixels = pictures.size // 3
            self._wait_for_room(pixels)
            now = time.perf_counter()
            device_s = self._uncounted_s + now - since
            self._uncounted_s, since = 0.0, now
            encoding = self._encoders.submit(_encode, key, pictures, device_s)
            self._encoding.append(encoding)
            self._sizes[encoding] = pixels
        self._uncounted_s += time.perf_counter() - since

    def _wait_for_room(self, pixels: int) -> None:
        """Wait until this many more decoded pixels fit in memory; a single frame always does."""
        while self._sizes and sum(self._sizes.values()) + pixels > WAITING_PIXELS:
            encoded, _ = wait(self._sizes, return_when=FIRST_COMPLETED)
            self._sizes = {each: size for each, size in self._sizes.items() if each not in encoded}

    def finished(self, wait: bool = False) -> Iterator[FullFrame]:
        """The encoded frames, in their order; with `wait`, all that were decoded."""
        while self._encoding and (wait or self._encoding[0].done()):
            yield self._encoding.pop(0).result()

    def __enter__(self) -> "FrameMaker":
        return self

    def __exit__(self, *_: object) -> None:
        self._encoders.shutdown(wait=False, cancel_futures=True)


def _encode(key: Key, pictures: np.ndarray, device_s: float) -> FullFrame:
    *_, view = key
    file = jpeg(within(grid(pictures), LIMITS.frame_pixels), QUALITIES[view])
    return FullFrame(*key, file, device_s)


def within(picture: np.ndarray, pixels: int) -> np.ndarray:
    """The picture, uint8 (H, W, 3), made smaller by a whole number to at most so many pixels."""
    height, width, _ = picture.shape
    shrink = 1
    while (height // shrink) * (width // shrink) > pixels:
        shrink += 1
    if shrink == 1:
        return picture
    height, width = height // shrink, width // shrink
    small = np.empty((height, width, 3), np.uint8)
    for row in range(height):  # one at a time: the whole in double precision is eight times as much
        strip = picture[row * shrink : (row + 1) * shrink, : width * shrink]
        small[row] = strip.reshape(shrink, width, shrink, 3).mean(axis=(0, 2)).round()
    return small
