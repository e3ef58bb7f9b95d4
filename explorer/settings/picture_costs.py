"""Files of pictures that would take minutes or gigabytes to read, refused before they do.

A picture's size in pixels does not tell: a file can hold its pixels in millions of parts.
"""

import io
import math
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

# How often a file may be read: Pillow reads each part of a header by itself, in Python. A PNG of
# 20 MB whose pixels are in parts of 8 KB takes 10,000. Of a GIF each part is added to a comment,
# which is copied for it.
MOST_READS, MOST_READS_OF_GIF = 50_000, 5_000
MOST_STRIPS = 2**16  # of a TIFF: Pillow makes an object of each
STRIP_TAGS = (273, 279, 324, 325)  # where the strips or tiles of a TIFF are, and how long
# A tile is decoded whole, and may be far larger than the picture that is cut out of it.
TILE_TAGS, MOST_TILE_PIXELS = (322, 323), 2**24
WHOLE_NUMBERS = {1: "B", 3: "H", 4: "I", 16: "Q"}  # types of a TIFF's values
MOST_SCANNED = 2**30  # pixels, of all scans of a JPEG: each is a pass over the whole picture
SCAN = b"\xff\xda"  # the marker that begins one
SLOW_BYTES = 2**20  # of a file whose pixels are unpacked in Python
COSTLY = "it is stored in a way that takes too long to read; save it as PNG or JPEG first."


class Costly(ValueError):
    """A picture that takes too long to read; the message is the end of a sentence."""


class CountedReads(io.BytesIO):
    """A picture's file in memory that can be read only so often; raises Costly beyond that."""

    def __init__(self, file: bytes):
        super().__init__(file)
        self._left = MOST_READS_OF_GIF if file.startswith(b"GIF") else MOST_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise Costly(COSTLY)
        return super().read(size)


def check_tables(file: bytes) -> None:
    """Raise Costly for a TIFF of too many strips, or of huge tiles, before they are looked at."""
    sides = dict.fromkeys(TILE_TAGS, 0)
    for tag, count, value in _tiff_entries(file):
        if tag in STRIP_TAGS and count > MOST_STRIPS:
            raise Costly(COSTLY)
        if tag in TILE_TAGS:
            sides[tag] = max(sides[tag], value)
    if math.prod(sides.values()) > MOST_TILE_PIXELS:
        raise Costly(COSTLY)


def check_decoding(picture: "Image", file: bytes) -> None:
    """Raise Costly for a picture, opened by its header, whose pixels take too long to decode."""
    from PIL import Image

    width, height = picture.size
    is_jpeg = picture.format in ("JPEG", "MPO")
    in_python = any(tile.codec_name in Image.DECODERS for tile in getattr(picture, "tile", ()))
    if is_jpeg and file.count(SCAN) * width * height > MOST_SCANNED:
        raise Costly(COSTLY)
    if in_python and len(file) > SLOW_BYTES:
        raise Costly(COSTLY)


def _tiff_entries(file: bytes) -> Iterator[tuple[int, int, int]]:
    """The tags of a TIFF's first picture, each with its number of values and the first of these.

    None for other files. A value that stands elsewhere is its place.
    """
    order = {b"II": "<", b"MM": ">"}.get(file[:2])
    if order is None:
        return
    try:
        (version,) = struct.unpack_from(f"{order}H", file, 2)
        big = version == 43
        (start,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", file, 8 if big else 4)
        (entries,) = struct.unpack_from(f"{order}{'Q' if big else 'H'}", file, start)
        start += 8 if big else 2
        size, kind = (20, "HHQ") if big else (12, "HHI")
        for at in range(min(entries, 2**16)):
            place = start + at * size
            tag, of, count = struct.unpack_from(f"{order}{kind}", file, place)
            inline = WHOLE_NUMBERS.get(of, "I") if big or of != 16 else "I"
            place += struct.calcsize(f"={kind}")
            yield tag, count, struct.unpack_from(f"{order}{inline}", file, place)[0]
    except struct.error:  # cut off: for Pillow to say
        return
