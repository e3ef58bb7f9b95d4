"""A lane's pictures as a PNG file that says how they came, and a run's thumbnail."""

import hashlib
import io
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from explorer.capture.grids import grid, tile
from explorer.capture.trajectory import Trajectory
from explorer.records.interchange.infotext import parameters, write_infotext
from explorer.records.interchange.picture_text import KEY, PARAMETERS
from explorer.settings import RunSettings

if TYPE_CHECKING:
    from explorer.records.run import RecordedLane

THUMBNAIL_SIDE = 96  # pixels
THUMBNAIL_LANES = 4
LEVEL, QUICK_LEVEL = 3, 1  # of zlib, whose usual 6 takes three times as long, for 8 % fewer bytes


def lane_png(trajectory: Trajectory, is_quick: bool = False) -> bytes:
    """A lane's pictures as one PNG file that states its settings, model and noise.

    A quick one takes two thirds of the time and 4 % more bytes. Raises ValueError for a lane
    without pictures.
    """
    if trajectory.images is None:
        raise ValueError("The lane has no pictures.")
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    if text := infotext_of(trajectory):
        info.add_text(PARAMETERS, text)
    info.add_itxt(KEY, json.dumps(provenance(trajectory)), zip=True)
    data = io.BytesIO()
    Image.fromarray(grid(trajectory.images)).save(
        data, "PNG", pnginfo=info, compress_level=QUICK_LEVEL if is_quick else LEVEL
    )
    return data.getvalue()


def infotext_of(trajectory: Trajectory, line_only: bool = False) -> str:
    """A lane's settings as A1111 writes them, or their last line; "" where they are unknown."""
    if not trajectory.settings:
        return ""
    try:
        settings = RunSettings.from_dict(trajectory.settings)
    except (ValueError, TypeError):  # of another version, or made by hand
        return ""
    if trajectory.lane >= len(settings.lanes):
        return ""
    size = None if trajectory.images is None else trajectory.images.shape[2:0:-1]
    write = parameters if line_only else write_infotext
    return write(settings, trajectory.lane, trajectory.model, size)


def provenance(trajectory: Trajectory) -> dict:
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


def thumbnail(lanes: "Sequence[RecordedLane]") -> bytes | None:
    """The first lanes' pictures side by side as a small JPEG file; None where no lane has one.

    Where a run was stopped, they are its last predictions.
    """
    from PIL import Image

    pictures = [picture for lane in lanes if (picture := _newest(lane)) is not None]
    if not pictures:
        return None
    small = []
    for picture in pictures[:THUMBNAIL_LANES]:
        image = Image.fromarray(picture).convert("RGB")
        width = max(1, round(image.width * THUMBNAIL_SIDE / image.height))
        small.append(np.asarray(image.resize((min(width, 4 * THUMBNAIL_SIDE), THUMBNAIL_SIDE))))
    data = io.BytesIO()
    Image.fromarray(np.concatenate(small, axis=1)).save(data, "JPEG", quality=80)
    return data.getvalue()


def _newest(lane: "RecordedLane") -> np.ndarray | None:
    """A lane's picture, a batch tiled, else its last frame, uint8 (H, W, 3)."""
    if lane.trajectory.images is not None:
        return tile(lane.trajectory.images)
    if sheet := lane.sheets.get("denoised"):
        with suppress(ValueError):  # a sheet made by others
            return sheet.frames()[-1]
    return None
