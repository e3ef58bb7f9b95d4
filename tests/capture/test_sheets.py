"""Frames on one sheet: where each stands, how large they are, and back."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from explorer.capture.sheets import SHEET_PIXELS, frame_sheet


def flat(count: int) -> np.ndarray:
    return np.stack([np.full((8, 16, 3), 20 * at, np.uint8) for at in range(count)])


def test_frames_keep_their_order_on_the_sheet():
    sheet = frame_sheet(flat(11))
    assert (sheet.columns, sheet.rows, sheet.width, sheet.height) == (4, 3, 16, 8)
    whole = np.asarray(Image.open(io.BytesIO(sheet.file)))
    for at in range(11):
        row, column = divmod(at, 4)
        tile = whole[row * 8 :, column * 16 :][:8, :16]
        assert abs(tile.mean() - 20 * at) < 3


@pytest.mark.parametrize("count", [1, 3, 11])
def test_frames_are_read_back(count):
    again = frame_sheet(flat(count)).frames()
    assert again.shape == (count, 8, 16, 3)
    assert np.abs(again.astype(int) - flat(count)).max() <= 3


@pytest.mark.parametrize("quality", [75, 93, 95, 100])
def test_frames_of_noise_are_a_sheet_too(quality):
    """They compress to more than Pillow's buffer for an optimized file holds."""
    frames = np.random.default_rng(0).integers(0, 256, (4, 256, 256, 3), np.uint8)
    assert frame_sheet(frames, quality=quality).frames().shape == frames.shape


def test_a_long_runs_sheet_can_still_be_decoded():
    sheet = frame_sheet(np.zeros((1999, 128, 128, 3), np.uint8))
    width, height = Image.open(io.BytesIO(sheet.file)).size
    assert sheet.width == 64
    assert width * height <= 1.1 * SHEET_PIXELS


@pytest.mark.parametrize("change", [{"file": b"GIF89a"}, {"width": 2**30}, {"count": 100}])
def test_a_sheet_that_is_not_what_it_says_is_refused(change):
    with pytest.raises(ValueError, match=r"^The sheet .*\.$"):
        dataclasses.replace(frame_sheet(flat(3)), **change).frames()
