"""A batch as one picture: where each stands and how small it gets."""

import io

import numpy as np
import pytest
from PIL import Image

from explorer.capture.frames import Filmstrip
from explorer.capture.grids import grid, tile
from explorer.capture.trajectory import Call


def flat(count: int, side: int = 16) -> np.ndarray:
    """Pictures of one colour each: 10, 20, 30 and so on."""
    values = 10 * np.arange(1, count + 1, dtype=np.uint8)
    return np.broadcast_to(values[:, None, None, None], (count, side, side, 3)).copy()


@pytest.mark.parametrize(
    ("count", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (3, 2, 2), (5, 2, 3), (16, 4, 4)]
)
def test_a_grid_is_near_square_and_row_by_row(count, rows, columns):
    whole = grid(flat(count))
    assert whole.shape == (rows * 16, columns * 16, 3)
    for index in range(rows * columns):
        row, column = divmod(index, columns)
        cell = whole[row * 16 :, column * 16 :][:16, :16]
        assert (cell == (10 * (index + 1) if index < count else 0)).all()


@pytest.mark.parametrize("count", [1, 2, 4, 7, 16])
def test_a_tile_is_no_larger_than_one_picture(count):
    whole = tile(flat(count, 60))
    assert max(whole.shape) <= 60
    assert set(np.unique(whole)) - {0} == set(range(10, 10 * count + 1, 10))


def test_a_pixel_of_a_tile_is_the_mean_of_those_it_stands_for_halves_to_even():
    pictures = np.zeros((4, 5, 4, 3), np.uint8)
    pictures[0, :2, :2] = [[[1, 3, 255], [1, 3, 255]], [[0, 4, 255], [0, 4, 255]]]
    assert tile(pictures)[0, 0].tolist() == [0, 4, 255]  # of 0.5, 3.5 and 255
    noise = np.random.default_rng(0).integers(0, 256, (9, 31, 29, 3), dtype=np.uint8)
    blocks = noise[:, :30, :27].reshape(9, 10, 3, 9, 3, 3).astype(float)
    assert (tile(noise) == grid(np.rint(blocks.mean((2, 4))).astype(np.uint8))).all()


def test_frames_of_a_batch_are_tiled_and_decoded_in_slices():
    asked = []

    def decode(latents):
        asked.append(len(latents))
        return np.repeat(latents[:, :1, :1, :1], 3, 3).repeat(32, 1).repeat(32, 2).astype(np.uint8)

    film = Filmstrip(decode, 1)
    latents = 10 * np.arange(1, 6, dtype=np.float32)[:, None, None, None] * np.ones((5, 4, 2, 2))
    for index in range(2):
        options = {"index": index, "step": index, "stage": "step", "sigma": 0.0, "timestep": 1}
        film.add(0, Call.of(**options, latent=latents, denoised=latents + 100))
    newest = np.asarray(Image.open(io.BytesIO(film.newest()[0])))
    while film.behind:
        film.work()
    (frames,) = film.frames([2])
    assert max(asked) <= 4
    assert frames.denoised.shape == frames.noisy.shape == (2, 20, 30, 3)  # two rows, three columns
    assert newest.shape == (20, 30, 3)
    assert frames.denoised[1, 0, 0, 0] == 110
    assert frames.noisy[1, 15, 15, 0] == 50
