"""A run as frames: the recorded calls of all lanes, decoded a slice at a time."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import numpy as np

from explorer.capture.grids import tile
from explorer.capture.sheets import NOISY_QUALITY, FrameSheet, frame_sheet
from explorer.capture.trajectory import Call
from explorer.models.previews import Decoder, grown, jpeg, resized

LIVE_INTERVAL_S = 0.5  # between two previews by the VAE
LIVE_PAUSE = 4  # at least, and this many times as long as decoding took
SLICE = 4  # pictures decoded at a time: short enough to react in between
QUICK_SLICE = 64  # the same by linear colours


@dataclass(frozen=True, eq=False)
class LaneFrames:
    """One lane's calls as pictures, uint8 (calls, H, W, 3): the prediction, and the latent itself.

    The noisy latent is shown at unit variance; a batch of pictures is shown as one, tiled.
    `approximate` holds, by view, the calls whose frames are linear colours because the run was
    stopped before better ones were made.
    """

    denoised: np.ndarray
    noisy: np.ndarray
    approximate: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @cached_property
    def sheets(self) -> dict[str, FrameSheet]:
        """Both views on sheets, made once for all who show or keep them."""
        noisy = frame_sheet(self.noisy, quality=NOISY_QUALITY)
        return {"denoised": frame_sheet(self.denoised), "noisy": noisy}


class Filmstrip:
    """Decodes calls as they arrive: the newest on request, the rest in idle moments."""

    def __init__(self, decode: Decoder, lanes: int):
        self._decode = decode
        self._live: dict[int, tuple[int, bytes]] = {}  # by lane: its call in full size, as a JPEG
        self._live_again_at = 0.0
        self._lanes = range(lanes)
        self._calls: list[list[Call]] = [[] for _ in self._lanes]
        self._pictures: dict[tuple[int, int, str], np.ndarray] = {}
        self._waiting: dict[tuple[int, int, str], None] = {}  # in their order of arrival
        self._approximate: set[tuple[int, int, str]] = set()

    @property
    def behind(self) -> bool:
        """Whether frames are still to be decoded."""
        return bool(self._waiting)

    @property
    def made(self) -> int:
        """How many frames there are."""
        return len(self._pictures)

    @property
    def due(self) -> int:
        """How many frames the calls so far will have."""
        return len(self._pictures) + len(self._waiting)

    @property
    def approximate(self) -> int:
        """How many frames are linear colours instead of something better."""
        return len(self._approximate)

    def add(self, lane: int, call: Call) -> None:
        """Add a lane's next call."""
        index = len(self._calls[lane])
        self._calls[lane].append(call)
        self._waiting |= {(lane, index, kind): None for kind in ("denoised", "noisy")}

    def newest(self) -> tuple[bytes | None, ...]:
        """A JPEG of each lane's newest prediction; None for a lane without one."""
        self.work_on_newest()
        keys = self._newest_keys
        return tuple(jpeg(self._pictures[key]) if key[1] >= 0 else None for key in keys)

    def work_on_newest(self) -> None:
        """Decode each lane's newest prediction, where it is waiting."""
        self._develop([key for key in self._newest_keys if key in self._waiting])

    @property
    def _newest_keys(self) -> list[tuple[int, int, str]]:
        return [(lane, len(calls) - 1, "denoised") for lane, calls in enumerate(self._calls)]

    def newest_in_full(self, decode: Decoder) -> tuple[bytes | None, ...]:
        """`newest` in full size by the VAE, in a limited share of the time; else the last ones."""
        began = time.monotonic()
        if began >= self._live_again_at:
            for lane, calls in enumerate(self._calls):
                known = self._live.get(lane)
                if calls and (known is None or known[0] < len(calls)):
                    pictures = decode(calls[-1].denoised)
                    self._live[lane] = len(calls), jpeg(tile(pictures))
            now = time.monotonic()
            self._live_again_at = now + max(LIVE_INTERVAL_S, LIVE_PAUSE * (now - began))
        return tuple(self._live[lane][1] if lane in self._live else None for lane in self._lanes)

    def work(self) -> None:
        """Decode one slice of the waiting calls, the oldest first."""
        self._develop(list(islice(self._waiting, self._frames_at_once)))

    def hurry(self, colours: Decoder, is_worse: bool = True) -> None:
        """Make a slice of the waiting frames with linear `colours`, one pixel per latent pixel.

        They are enlarged to the size of the other frames, and marked as approximate if they are
        worse than those.
        """
        keys = list(islice(self._waiting, max(1, QUICK_SLICE // self._images)))
        pictures = colours(np.concatenate([self._latent(*key) for key in keys]))
        size = self._frame_size or grown(*pictures.shape[1:3])
        batches = pictures.reshape(len(keys), -1, *pictures.shape[1:])
        self._keep(keys, [resized(tile(batch), size) for batch in batches])
        if is_worse:
            self._approximate.update(keys)

    @property
    def _images(self) -> int:
        """How many pictures a frame shows."""
        return next((len(calls[0].packed()[0].values) for calls in self._calls if calls), 1)

    @property
    def _frame_size(self) -> tuple[int, int] | None:
        one = next(iter(self._pictures.values()), None)
        return None if one is None else one.shape[:2]

    @property
    def _frames_at_once(self) -> int:
        return max(1, SLICE // self._images)

    def frames(self, count: list[int]) -> tuple[LaneFrames | None, ...]:
        """The first `count[lane]` calls of every lane, which must have been decoded; None for 0."""
        return tuple(
            self._lane_frames(lane, calls) if calls else None for lane, calls in enumerate(count)
        )

    def _lane_frames(self, lane: int, calls: int) -> LaneFrames:
        kinds = "denoised", "noisy"
        return LaneFrames(
            *(
                np.stack([self._pictures[lane, index, kind] for index in range(calls)])
                for kind in kinds
            ),
            approximate={
                kind: tuple(at for at in range(calls) if (lane, at, kind) in self._approximate)
                for kind in kinds
            },
        )

    def _develop(self, keys: list[tuple[int, int, str]]) -> None:
        if not keys:
            return
        latents = [self._latent(*key) for key in keys]
        images = len(latents[0])
        together = np.concatenate(latents)
        if images == 1:
            frames: Sequence[np.ndarray] = list(self._decode(together))
        else:
            slices = range(0, len(together), SLICE)
            pictures = np.concatenate([self._decode(together[at : at + SLICE]) for at in slices])
            frames = [tile(batch) for batch in pictures.reshape(-1, images, *pictures.shape[1:])]
        self._keep(keys, frames)

    def _keep(self, keys: list[tuple[int, int, str]], frames: Sequence[np.ndarray]) -> None:
        self._pictures.update(zip(keys, frames, strict=True))
        for key in keys:
            del self._waiting[key]

    def _latent(self, lane: int, index: int, kind: str) -> np.ndarray:
        call = self._calls[lane][index]
        if kind == "denoised":
            return call.denoised
        return call.latent / np.float32(call.noise_scale)
