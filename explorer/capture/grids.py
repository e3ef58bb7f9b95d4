"""A lane's batch as one picture: pictures side by side."""

import math

import numpy as np


def grid(pictures: np.ndarray) -> np.ndarray:
    """Pictures (n, H, W, 3) as one, in rows, as near to a square as n allows; the rest is black."""
    count, height, width, channels = pictures.shape
    if count == 1:
        return pictures[0]
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    whole = np.zeros((rows * height, columns * width, channels), pictures.dtype)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        whole[row * height :, column * width :][:height, :width] = picture
    return whole


def tile(pictures: np.ndarray) -> np.ndarray:
    """The grid, no larger than a single one of the pictures: each is shrunk by a whole number."""
    shrink = math.ceil(math.sqrt(len(pictures)))
    if shrink > 1:
        height, width = (side // shrink * shrink for side in pictures.shape[1:3])
        total = np.zeros(
            (len(pictures), height // shrink, width // shrink, pictures.shape[3]), np.uint32
        )
        for row, column in np.ndindex(shrink, shrink):
            total += pictures[:, row:height:shrink, column:width:shrink]
        pictures = np.rint(total / np.float32(shrink**2)).astype(pictures.dtype)
    return grid(pictures)
