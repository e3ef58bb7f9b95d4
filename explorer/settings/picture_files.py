"""A picture's file to RGB pixels: every kind and mode of still picture, in bounded memory."""

import math
import threading
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.settings.picture_costs import CountedReads, check_tables

if TYPE_CHECKING:
    from PIL.Image import Image

# What Pillow may decode, by its name for it. A phone's "MPO" is a JPEG with more pictures behind
# it. Of an animation the first picture is taken. No ICO: the picture in it may have another size
# than its header says.
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM", "TGA", "JPEG2000")
KEPT_PIXELS = 2**23  # 2048 x 4096: more than any run can use
ALONE_PIXELS = 2**24  # pictures larger than this are decoded one at a time
STRIP_PIXELS = 2**20  # of a picture converted at once
BYTES = 4  # a pixel, once it is RGB or has transparency, whatever it takes in the file
DECODER_BYTES = {"JPEG2000": 16, "WEBP": 8, "AVIF": 8}  # a pixel, the decoder's copy included
SIXTEEN = ("I;16", "I;16B", "I;16L", "I;16N")
ORIENTATION = 0x0112  # the EXIF tag

_ONE_LARGE = threading.Lock()


def open_picture(file: bytes) -> "Image":
    """Open a file by its header; raises Costly, and what Pillow raises for what is no picture."""
    from PIL import Image

    check_tables(file)
    Image.init()  # or a list of formats would hold only those that Pillow has loaded so far
    return Image.open(CountedReads(file), formats=FORMATS)


def decoded_bytes(picture: "Image") -> int:
    """Return the memory that decoding takes at most; of a JPEG what its reduction leaves."""
    width, height = picture.size
    coefficients = 6 * width * height if picture.info.get("progressive") else 0
    reduction = _reduction(picture.size)
    picture.draft(picture.mode, (width // reduction, height // reduction))
    width, height = picture.size
    return max(coefficients, width * height * DECODER_BYTES.get(picture.format or "", BYTES))


def decode(file: bytes, side: int | None = None) -> "Image":
    """Return a file's picture as RGB of at most KEPT_PIXELS, turned as its camera says.

    A JPEG is decoded no larger than needed for a square of `side` pixels, if that is given.
    Transparent parts become white, more than 8 bits a channel are scaled to 8. Raises whatever a
    decoder raises for damaged bytes.
    """
    from PIL import ImageOps

    with open_picture(file) as picture:
        width, height = picture.size
        with _ONE_LARGE if width * height > ALONE_PIXELS else nullcontext():
            reduction = _reduction(picture.size)
            wanted = width // reduction, height // reduction
            picture.draft(picture.mode, (side, side) if side else wanted)
            picture.load()
            whole = _rgb(picture)
            with suppress(Exception):  # unreadable EXIF data: do not rotate
                whole.getexif()[ORIENTATION] = picture.getexif().get(ORIENTATION, 1)
    return ImageOps.exif_transpose(whole)


def _reduction(size: tuple[int, int]) -> int:
    """The smallest whole number by which both sides are divided to leave KEPT_PIXELS."""
    width, height = size
    return max(1, math.ceil(math.sqrt(width * height / KEPT_PIXELS)))


def _rgb(picture: "Image") -> "Image":
    """A decoded picture of any mode as RGB, reduced to KEPT_PIXELS.

    Strip by strip: a large picture of one byte a pixel would take many times that as a whole.
    """
    from PIL import Image

    width, height = picture.size
    by = _reduction(picture.size)
    rows = by * max(1, STRIP_PIXELS // (by * width))
    white = _white(picture, rows)
    whole = Image.new("RGB", (math.ceil(width / by), math.ceil(height / by)))
    for top in range(0, height, rows):
        strip = _opaque(picture.crop((0, top, width, min(height, top + rows))), white)
        whole.paste(strip.reduce(by) if by > 1 else strip, (0, top // by))
    return whole


def _opaque(strip: "Image", white: float | None) -> "Image":
    """A strip as RGB on white; `white` is the value that is white in a mode of many bits."""
    from PIL import Image

    if white:
        scaled = np.clip(np.asarray(strip).astype(np.float32) / white, 0, 1) * 255
        strip = Image.fromarray(scaled.round().astype(np.uint8))
    if strip.has_transparency_data:
        strip = strip.convert("RGBA")
        strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip)
    return strip.convert("RGB")


def _white(picture: "Image", rows: int) -> float | None:
    """The value that is white in a picture of more than 8 bits; None for others.

    Numbers of 32 bits have no agreed white: they are 16-bit ones, or of 0 to 1 where they are
    fractions, and where they go beyond that, the largest is white. Raises ValueError for numbers
    that are not finite.
    """
    if picture.mode not in (*SIXTEEN, "I", "F"):
        return None
    if picture.mode in SIXTEEN:
        return 65535.0
    largest = max(_largest(picture, top, rows) for top in range(0, picture.height, rows))
    if picture.mode == "F" and largest > 1:
        return max(255.0, largest)
    return max(1.0 if picture.mode == "F" else 65535.0, largest)


def _largest(picture: "Image", top: int, rows: int) -> float:
    strip: Any = np.asarray(picture.crop((0, top, picture.width, min(picture.height, top + rows))))
    if not np.isfinite(strip).all():
        raise ValueError("it holds numbers that are not finite")
    return float(strip.max(initial=0))
