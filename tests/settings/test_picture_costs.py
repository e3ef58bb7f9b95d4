"""Pictures that would take minutes or gigabytes to read are refused in less than a second."""

import io
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from explorer.records.interchange.picture_text import picture_texts
from explorer.settings import SettingsError
from explorer.settings.picture_costs import COSTLY
from explorer.settings.start_picture import picture_url

PATIENCE_S = 5.0  # on a busy machine; each takes from ten seconds to hours otherwise
MOST_BYTES = 2**26


def file(kind: str, side: int = 64, **options) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (side, side), (9, 99, 199)).save(data, kind, **options)
    return data.getvalue()


def before(data: bytes, mark: bytes, more: bytes, back: int = 0) -> bytes:
    """The file with more bytes before a mark."""
    at = data.index(mark) - back
    return data[:at] + more + data[at:]


def png_chunk(name: bytes) -> bytes:
    return bytes(4) + name + zlib.crc32(name).to_bytes(4, "big")


def gif_comment(parts: int) -> bytes:
    """A GIF with a comment in parts of one letter, each of which Pillow adds to a copy."""
    return before(file("GIF"), b"\x2c\0\0\0\0", b"\x21\xfe" + b"\1a" * parts + b"\0")


def jpeg_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is there many times."""
    data = file("JPEG", 1024, progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * count + data[-2:]


def tiff(*entries: tuple[int, int, int | None], more: bytes, order: str = "<") -> bytes:
    """A TIFF of these tags, counts and values (None: where `more` is, which ends the file)."""
    at = 8 + 2 + 12 * len(entries) + 4
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HIH", 42, 8, len(entries))
    rows = [
        struct.pack(f"{order}HHII", tag, 4, count, at if value is None else value)
        for tag, count, value in entries
    ]
    return head + b"".join(rows) + bytes(4) + more


def tiff_strips(count: int, order: str = "<") -> bytes:
    """A TIFF of one column, with a strip a row, all of which are in one place."""
    tags = ((256, 1, 1), (257, 1, count), (258, 1, 8), (259, 1, 1), (262, 1, 1), (273, count, None))
    more = ((277, 1, 1), (278, 1, 1), (279, count, None))
    return tiff(*tags, *more, more=struct.pack(f"{order}I", 8) * count, order=order)


def tiff_tile(side: int) -> bytes:
    """A TIFF of 64 pixels a side in a tile of many more, which is nothing and packed."""
    packer = zlib.compressobj()
    packed = b"".join([*(packer.compress(bytes(side)) for _ in range(side)), packer.flush()])
    tags = ((256, 1, 64), (257, 1, 64), (258, 1, 8), (259, 1, 8), (262, 1, 1), (277, 1, 1))
    tiles = ((322, 1, side), (323, 1, side), (324, 1, None), (325, 1, len(packed)))
    return tiff(*tags, *tiles, more=packed)


def bmp_rle(side: int) -> bytes:
    """A BMP in runs of one pixel."""
    pixels = (b"\1\7" * side + b"\0\0") * side + b"\0\1"
    start = 14 + 40 + 1024
    head = struct.pack("<IHHI", start + len(pixels), 0, 0, start)
    about = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(pixels), 0, 0, 256, 0)
    return b"BM" + head + about + bytes(1024) + pixels


COSTLY_FILES: dict[str, Callable[[], bytes]] = {
    "png of a million chunks": lambda: before(
        file("PNG"), b"IDAT", png_chunk(b"prVt") * 2**20, back=4
    ),
    "png of a million parts": lambda: before(
        file("PNG"), b"IDAT", png_chunk(b"IDAT") * 2**20, back=4
    ),
    "gif with a comment of a million parts": lambda: gif_comment(2**20),
    "jpeg of a million segments": lambda: before(
        file("JPEG"), b"\xff\xdb", b"\xff\xfe\0\2" * 2**20
    ),
    "jpeg with junk before its picture": lambda: before(file("JPEG"), b"\xff\xdb", b"a" * 2**24),
    "jpeg of 2000 scans": lambda: jpeg_scans(2000),
    "tiff of a million strips": lambda: tiff_strips(2**20),
    "tiff of a million strips, big-endian": lambda: tiff_strips(2**20, ">"),
    "tiff of a huge tile": lambda: tiff_tile(8192),
    "plain pgm": lambda: b"P2\n2048 2048\n9\n" + b"7 " * 2**22,
    "ppm of 254 values": lambda: b"P6\n2048 2048\n254\n" + bytes(3 * 2**22),
    "bmp in runs": lambda: bmp_rle(2048),
    "jpeg 2000 of a million boxes": lambda: before(
        file("JPEG2000"), b"jp2h", b"\0\0\0\x08free" * 2**20, back=4
    ),
}


@pytest.mark.parametrize("kind", COSTLY_FILES)
def test_what_takes_too_long_to_read_is_refused_at_once(kind):
    data = COSTLY_FILES[kind]()
    began = time.monotonic()
    tracemalloc.start()
    with pytest.raises(ValueError, match="takes too long to read") as caught:
        picture_url(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(caught.value) == COSTLY
    assert time.monotonic() - began < PATIENCE_S
    assert peak < MOST_BYTES


def test_what_is_small_or_has_the_usual_parts_is_read():
    for data in (
        b"P2\n64 64\n9\n" + b"7 " * 2**12,
        b"P6\n64 64\n254\n" + bytes(3 * 2**12),
        bmp_rle(64),
        gif_comment(100),
        tiff_strips(64),
        tiff_tile(256),
        jpeg_scans(2),
    ):
        assert picture_url(data).startswith("data:image/")


def test_a_large_png_is_read():
    """Of 8 million pixels of noise, whose file has thousands of parts."""
    data = io.BytesIO()
    Image.effect_noise((4096, 2048), 90).save(data, "PNG", compress_level=1)
    assert picture_url(data.getvalue()).startswith("data:image/")


@pytest.mark.parametrize("kind", ["png of a million chunks", "jpeg of a million segments"])
def test_such_a_picture_has_no_settings(kind):
    began = time.monotonic()
    with pytest.raises(SettingsError, match="no picture that can be read"):
        picture_texts(COSTLY_FILES[kind]())
    assert time.monotonic() - began < PATIENCE_S
