"""Recorded runs made by hand, small and quick: no model computes anything."""

import io
from datetime import UTC, datetime

import numpy as np
from PIL import Image

from explorer.capture.frames import LaneFrames
from explorer.capture.trajectory import Call, Trajectory
from explorer.records import RecordedRun
from explorer.settings import LaneSettings, RunSettings, picture_url

SHAPE = (2, 4, 4, 4)  # of a latent: batch x C x H x W
SIDE = 16  # of pictures and frames, in pixels
CREATED = datetime(2026, 11, 27, 8, 30, 15, 250_000, UTC)


def numbers(seed: int, shape=SHAPE, scale=1.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def pixels(seed: int, count: int) -> np.ndarray:
    """Pictures that a JPEG keeps well: slopes of one colour each."""
    slope = np.linspace(0, 200, SIDE)[None, :, None, None] * np.ones((1, 1, SIDE, 3))
    tones = 5.0 * ((np.arange(count) + seed) % 11)[:, None, None, None]
    return (slope + tones).astype(np.uint8)


def made_trajectory(settings: RunSettings, lane: int, **more) -> Trajectory:
    calls = tuple(
        Call.of(
            index=index,
            step=index // 2,
            stage="midpoint" if index % 2 else "step",
            sigma=14.6146 / (index + 1),
            timestep=999.0 - 100 * index,
            sigma_next=14.6146 / (index + 2),
            sigma_mid=0.1 if index % 2 else None,
            latent=numbers(10 * lane + index, scale=14.6 / (index + 1)),
            denoised=numbers(100 + 10 * lane + index),
        )
        for index in range(5)
    )
    facts = {
        "settings": settings.to_dict(),
        "lane": lane,
        "label": settings.lanes[lane].label,
        "calls": calls,
        "final": numbers(7 + lane),
        "images": pixels(lane, SHAPE[0]),
        "model": "scenes",
        "device": "cpu",
    }
    return Trajectory(**facts | more)


def made_frames(lane: int) -> LaneFrames:
    return LaneFrames(
        denoised=pixels(lane, 5), noisy=pixels(lane + 3, 5), approximate={"noisy": (3,)}
    )


def start_picture() -> str:
    data = io.BytesIO()
    Image.fromarray(pixels(5, 1)[0]).save(data, "PNG")
    return picture_url(data.getvalue())


def made_settings(**more) -> RunSettings:
    facts = {
        "prompt": 'a red boat, "evening":\nlow sun ⛵',
        "negative_prompt": "fog, rain",
        "seed": 7,
        "steps": 3,
        "batch_size": SHAPE[0],
        "lanes": (LaneSettings(), LaneSettings(sampler="dpm2_a", schedule_type="karras", eta=0.8)),
    }
    return RunSettings(**facts | more)


def made_run(settings: RunSettings | None = None, **more) -> RecordedRun:
    """Two lanes of three steps, a batch of two, with frames and pictures."""
    settings = settings or made_settings()
    lanes = range(len(settings.lanes))
    return RecordedRun.of(
        [made_trajectory(settings, lane) for lane in lanes],
        [made_frames(lane) for lane in lanes],
        **{"created": CREATED} | more,
    )
