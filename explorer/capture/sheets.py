"""A run's frames on sheets: one picture that holds all frames of a lane, row by row."""

import io
import math
from dataclasses import dataclass

import numpy as np

from explorer.models.previews import sheet

SHEET_PIXELS = 2**24  # of one sheet: what a phone can hold decoded, four times
JPEG_QUALITY = 93  # the change view amplifies what the compression leaves
NOISY_QUALITY = 75  # no other view is made of the latents' frames, and noise compresses badly


@dataclass(frozen=True, eq=False, kw_only=True)
class FrameSheet:
    """`count` frames of `width` x `height` pixels in so many `columns`; `file` is a JPEG's bytes.

    The first frame stands at the top left, the others follow row by row; the rest is black.
    """

    file: bytes
    count: int
    columns: int
    width: int
    height: int

    @property
    def rows(self) -> int:
        return -(-self.count // self.columns)

    def frames(self) -> np.ndarray:
        """The frames, uint8 (count, H, W, 3), as the compression leaves them.

        Raises ValueError for a file that is no picture, or of another size.
        """
        from PIL import Image

        size = self.columns * self.width, self.rows * self.height
        if math.prod(size) > 2 * SHEET_PIXELS:
            raise ValueError("The sheet is larger than any that is made here.")
        try:
            with Image.open(io.BytesIO(self.file), formats=["JPEG"]) as picture:
                if picture.size != size:
                    raise ValueError("The sheet is not of the size that its frames need.")
                whole = np.asarray(picture.convert("RGB"))
        except (OSError, Image.DecompressionBombError) as error:
            raise ValueError("The sheet of frames is no picture that can be read.") from error
        cells = whole.reshape(self.rows, self.height, self.columns, self.width, 3)
        return cells.swapaxes(1, 2).reshape(-1, self.height, self.width, 3)[: self.count]


def frame_sheet(
    frames: np.ndarray, pixels: int = SHEET_PIXELS, quality: int = JPEG_QUALITY
) -> FrameSheet:
    """All frames, (n, H, W, 3) in uint8, as one JPEG.

    A long run's frames are made smaller, so that the decoded sheet stays within so many pixels.
    """
    count, height, width, _ = frames.shape
    shrink = math.ceil(math.sqrt(count * height * width / pixels))
    if shrink > 1:
        height, width = height // shrink, width // shrink
        frames = frames[:, : height * shrink, : width * shrink]
        blocks = frames.reshape(count, height, shrink, width, shrink, 3)
        frames = blocks.mean(axis=(2, 4)).astype(np.uint8)
    columns = math.ceil(math.sqrt(count))
    file = sheet(list(frames), columns, quality=quality)
    return FrameSheet(file=file, count=count, columns=columns, width=width, height=height)
