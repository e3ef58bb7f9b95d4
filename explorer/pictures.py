"""The start picture of image to image, as text that a settings file can hold: a data URL."""

import base64
import binascii
import io
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

KINDS = {"PNG": "image/png", "JPEG": "image/jpeg"}
LARGEST_FILE = 20 * 2**20  # bytes
LARGEST_SIDE = 4096  # pixels

WANTED = "it must be a PNG or JPEG picture"


def picture_url(picture: "str | Path | bytes | Image") -> str:
    """A picture (a file, a file's bytes, or a PIL picture) as a data URL.

    Raises ValueError for what is no PNG or JPEG, or too large.
    """
    if isinstance(picture, str | Path):
        try:
            picture = Path(picture).read_bytes()
        except OSError as error:
            raise ValueError(f"{picture} cannot be read ({error.strerror}).") from None
    if not isinstance(picture, bytes):
        data = io.BytesIO()
        picture.save(data, "PNG")
        picture = data.getvalue()
    kind = _check_file(picture)
    return f"data:{KINDS[kind]};base64,{base64.b64encode(picture).decode()}"


@lru_cache(maxsize=2)  # settings are copied often, and their picture is the same
def check_picture(url: str) -> str:
    """The URL itself; ValueError unless it holds a PNG or JPEG of a bearable size."""
    _check_file(_file(url))
    return url


def read_picture(url: str, width: int, height: int) -> "Image":
    """The picture at this size: scaled to cover it, what overhangs cut off on both sides alike.

    Transparent parts become white. Raises ValueError where the file is damaged.
    """
    from PIL import Image, ImageOps

    try:
        whole = ImageOps.exif_transpose(Image.open(io.BytesIO(_file(url))))
        if whole.has_transparency_data:
            whole = whole.convert("RGBA")
            white = Image.new("RGBA", whole.size, "white")
            whole = Image.alpha_composite(white, whole)
        return ImageOps.fit(whole.convert("RGB"), (width, height), Image.Resampling.LANCZOS)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"The start picture's file is damaged ({str(error)[:100]}).") from None


def _file(url: str) -> bytes:
    head, comma, data = url.partition(",")
    if not comma or head.lower() not in [f"data:{kind};base64" for kind in KINDS.values()]:
        raise ValueError(f"{WANTED}, as a data URL.")
    if len(data) > 4 * LARGEST_FILE // 3 + 4:
        raise ValueError(f"the file may have at most {LARGEST_FILE // 2**20} MB.")
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        raise ValueError(f"{WANTED}; this text is no picture.") from None


def _check_file(file: bytes) -> str:
    """The file's kind, by its header alone: nothing is unpacked."""
    from PIL import Image

    if len(file) > LARGEST_FILE:
        raise ValueError(
            f"the file may have at most {LARGEST_FILE // 2**20} MB; "
            f"this one has {len(file) / 2**20:.1f}."
        )
    try:
        with Image.open(io.BytesIO(file), formats=list(KINDS)) as picture:
            kind, (width, height) = picture.format, picture.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise ValueError(f"{WANTED}; this file is none, or too large.") from None
    if max(width, height) > LARGEST_SIDE:
        raise ValueError(
            f"the picture may have at most {LARGEST_SIDE:,} pixels a side; "
            f"this one is {width} x {height}."
        )
    return kind
