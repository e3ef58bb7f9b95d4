"""A run as frames: the recorded calls of all lanes, decoded a slice at a time."""

import time
from dataclasses import dataclass
from itertools import islice

import numpy as np

from explorer.capture.grids import tile
from explorer.capture.previews import Decoder, jpeg
from explorer.capture.trajectory import Call

LIVE_APART_S = 0.5  # between two previews by the VAE
LIVE_REST = 4  # and so many times as long as they took
SLICE = 4  # pictures decoded at a time: short enough to look up in between


@dataclass(frozen=True, eq=False)
class LaneFrames:
    """One lane's calls as pictures, uint8 (calls, H, W, 3): the prediction, and the latent itself.

    The noisy latent is shown at unit variance; a batch of pictures is shown as one, tiled.
    """

    denoised: np.ndarray
    noisy: np.ndarray


class Filmstrip:
    """Decodes calls while they come in: what is newest when asked, the rest in spare moments."""

    def __init__(self, decode: Decoder, lanes: int):
        self._decode = decode
        self._live: dict[int, tuple[int, bytes]] = {}  # by lane: its call in full size, as a JPEG
        self._live_again_at = 0.0
        self._lanes = range(lanes)
        self._calls: list[list[Call]] = [[] for _ in self._lanes]
        self._pictures: dict[tuple[int, int, str], np.ndarray] = {}
        self._waiting: dict[tuple[int, int, str], None] = {}  # in the order they came

    @property
    def behind(self) -> bool:
        """Whether frames are still to be decoded."""
        return bool(self._waiting)

    def add(self, lane: int, call: Call) -> None:
        """Take in a lane's next call."""
        index = len(self._calls[lane])
        self._calls[lane].append(call)
        self._waiting |= {(lane, index, kind): None for kind in ("denoised", "noisy")}

    def newest(self) -> tuple[bytes | None, ...]:
        """A JPEG of each lane's newest prediction; None where there is none yet."""
        keys = [(lane, len(calls) - 1, "denoised") for lane, calls in enumerate(self._calls)]
        self._develop([key for key in keys if key in self._waiting])
        return tuple(jpeg(self._pictures[key]) if key[1] >= 0 else None for key in keys)

    def newest_in_full(self, decode: Decoder) -> tuple[bytes | None, ...]:
        """`newest` in full size by the VAE, which gets a part of the time: else those before."""
        began = time.monotonic()
        if began >= self._live_again_at:
            for lane, calls in enumerate(self._calls):
                known = self._live.get(lane)
                if calls and (known is None or known[0] < len(calls)):
                    pictures = decode(calls[-1].denoised)
                    self._live[lane] = len(calls), jpeg(tile(pictures))
            now = time.monotonic()
            self._live_again_at = now + max(LIVE_APART_S, LIVE_REST * (now - began))
        return tuple(self._live[lane][1] if lane in self._live else None for lane in self._lanes)

    def work(self) -> None:
        """Decode one slice of what waits, the oldest first."""
        self._develop(list(islice(self._waiting, self._frames_at_once)))

    @property
    def _frames_at_once(self) -> int:
        images = next((len(calls[0].halves()[0].values) for calls in self._calls if calls), 1)
        return max(1, SLICE // images)

    def frames(self, count: list[int]) -> tuple[LaneFrames | None, ...]:
        """The first `count[lane]` calls of every lane, which must have been decoded; None for 0."""
        return tuple(
            self._lane_frames(lane, calls) if calls else None for lane, calls in enumerate(count)
        )

    def _lane_frames(self, lane: int, calls: int) -> LaneFrames:
        return LaneFrames(
            *(
                np.stack([self._pictures[lane, index, kind] for index in range(calls)])
                for kind in ("denoised", "noisy")
            )
        )

    def _develop(self, keys: list[tuple[int, int, str]]) -> None:
        if not keys:
            return
        latents = [self._latent(*key) for key in keys]
        images = len(latents[0])
        together = np.concatenate(latents)
        if images == 1:
            frames = self._decode(together)
        else:
            slices = range(0, len(together), SLICE)
            pictures = np.concatenate([self._decode(together[at : at + SLICE]) for at in slices])
            frames = [tile(batch) for batch in pictures.reshape(-1, images, *pictures.shape[1:])]
        self._pictures.update(zip(keys, frames, strict=True))
        for key in keys:
            del self._waiting[key]

    def _latent(self, lane: int, index: int, kind: str) -> np.ndarray:
        call = self._calls[lane][index]
        if kind == "denoised":
            return call.denoised
        return call.latent / np.float32(call.noise_scale)
