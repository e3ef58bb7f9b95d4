"""A lane's batch as one picture: pictures side by side, and the file that says how they came."""

import hashlib
import io
import json
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from explorer.capture.trajectory import Trajectory

KEY = "sampler-explorer"  # of the PNG's text chunk that holds the run as JSON


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
        count, height, width, channels = pictures.shape
        height, width = height // shrink, width // shrink
        kept = pictures[:, : height * shrink, : width * shrink]
        blocks = kept.reshape(count, height, shrink, width, shrink, channels)
        pictures = blocks.mean(axis=(2, 4)).round().astype(pictures.dtype)
    return grid(pictures)


def lane_png(trajectory: "Trajectory", is_quick: bool = False) -> bytes:
    """A lane's pictures as one PNG file that states its settings, model and noise.

    A quick one takes a third of the time and a sixth more bytes. Raises ValueError for a lane
    without pictures.
    """
    if trajectory.images is None:
        raise ValueError("The lane has no pictures.")
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt(KEY, json.dumps(provenance(trajectory)), zip=True)
    data = io.BytesIO()
    Image.fromarray(grid(trajectory.images)).save(
        data, "PNG", pnginfo=info, compress_level=1 if is_quick else 6
    )
    return data.getvalue()


def provenance(trajectory: "Trajectory") -> dict:
    """How the pictures came, as plain data; of a start picture only its SHA-256."""
    settings = dict(trajectory.settings)
    facts = {
        "lane": trajectory.lane,
        "model": trajectory.model,
        "noise_drawn_on": trajectory.device,
    }
    if start := settings.pop("init_image", ""):
        facts["start_picture_sha256"] = hashlib.sha256(start.encode()).hexdigest()
    return facts | {"settings": settings}
