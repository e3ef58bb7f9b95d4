"""The start picture of image to image, as text that a settings file can hold: a data URL."""

import base64
import binascii
import io
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.byte_sizes import MIB
from explorer.settings.limits import LIMITS
from explorer.settings.picture_costs import Costly, check_decoding
from explorer.settings.picture_files import (
    KEPT_PIXELS,
    decode,
    decoded_bytes,
    open_picture,
)

if TYPE_CHECKING:
    from PIL.Image import Image

QUALITIES = (95, 90, 80, 60)  # of the JPEG that replaces a larger file

WANTED = "it must be a picture, such as a PNG, JPEG, WebP or AVIF"


def picture_url(picture: "str | Path | bytes | Image") -> str:
    """Return a picture (a file, a file's bytes, or a PIL picture) as a data URL.

    A file too large for the settings is reduced to a size that is enough for any run. Paths from a
    browser never get here (see hosting/uploaded_files.py). Raises ValueError, with a sentence, for
    a file that is no picture, is damaged, or is too large.
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
    kind, pixels = _check_file(picture)
    if len(picture) <= LIMITS.kept_picture_bytes and pixels <= KEPT_PIXELS:
        _decoded(picture, 64)  # a damaged file is refused when it is chosen
    else:
        kind, picture = _smaller(_decoded(picture))
    return f"data:{kind};base64,{base64.b64encode(picture).decode()}"


def kept_picture(url: str) -> str:
    """Return a data URL's picture as `picture_url` would store it; raises ValueError likewise."""
    return picture_url(_file(url))


@lru_cache(maxsize=2)  # settings are copied often, and their picture is the same
def check_picture(url: str) -> str:
    """Return the URL itself; ValueError unless it holds a picture of an acceptable size."""
    _check_file(_file(url))
    return url


def read_picture(url: str, width: int, height: int) -> "Image":
    """Return the picture at this size: scaled to cover it, cropped at the centre.

    Transparent parts become white, more than 8 bits a channel are scaled to 8. Raises ValueError
    where the file is damaged.
    """
    from PIL import Image, ImageOps

    whole = _decoded(_file(url), max(width, height))  # the longer: the camera may have been turned
    return ImageOps.fit(whole, (width, height), Image.Resampling.LANCZOS)


def _decoded(file: bytes, side: int | None = None) -> "Image":
    try:
        return decode(file, side)
    except Costly:
        raise
    except Exception as error:  # a decoder of damaged bytes may raise anything
        reason = f" ({str(error)[:100]})" if isinstance(error, OSError | ValueError) else ""
        raise ValueError(f"the file is damaged{reason}.") from None


def _smaller(picture: "Image") -> tuple[str, bytes]:
    """A picture's media type and file within the limit: PNG if that fits, else JPEG.

    Only noise can be larger, at the lowest of QUALITIES.
    """
    data = io.BytesIO()
    picture.save(data, "PNG", compress_level=1)
    if data.tell() <= LIMITS.kept_picture_bytes:
        return "image/png", data.getvalue()
    for quality in QUALITIES:
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=quality, subsampling=0)
        if data.tell() <= LIMITS.kept_picture_bytes:
            break
    return "image/jpeg", data.getvalue()


def _file(url: str) -> bytes:
    head, comma, data = url.partition(",")
    kind, _, coding = head.lower().partition(";")
    if not comma or not kind.startswith("data:image/") or coding != "base64":
        raise ValueError(f"{WANTED}, as a data URL.")
    if len(data) > 4 * LIMITS.upload_bytes // 3 + 4:
        raise ValueError(f"the file may have at most {LIMITS.upload_bytes / MIB:g} MB.")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):  # ValueError: letters beyond ASCII
        raise ValueError(f"{WANTED}; this text is no picture.") from None


def _check_file(file: bytes) -> tuple[str, int]:
    """The file's media type and pixel count, from its header alone: nothing is decoded."""
    from PIL import Image

    if len(file) > LIMITS.upload_bytes:
        raise ValueError(
            f"the file may have at most {LIMITS.upload_bytes / MIB:g} MB; "
            f"this one has {len(file) / MIB:.1f}."
        )
    if named := _foreign(file):
        raise ValueError(f"{WANTED}; this file is {named}.")
    try:
        with open_picture(file) as picture:
            kind = Image.MIME.get("JPEG" if picture.format == "MPO" else picture.format or "")
            check_decoding(picture, file)
            size, needed = picture.size, decoded_bytes(picture)
    except Costly:
        raise
    except Image.DecompressionBombError:
        raise ValueError("the picture is too large to be decoded; scale it down first.") from None
    except Exception:  # as above
        raise ValueError(f"{WANTED}; this file is none that can be read.") from None
    if needed > (most := LIMITS.decoded_picture_bytes):
        raise ValueError(
            f"the picture of {size[0]:,} x {size[1]:,} pixels would take {needed / MIB:,.0f} MB in "
            f"memory; at most {most / MIB:g} are allowed. Scale it down first."
        )
    return kind or "image/png", size[0] * size[1]


def _foreign(file: bytes) -> str:
    """The name of an image format that is not supported here; "" for other files."""
    if not file:
        return "empty"
    head = file[:1024].lstrip()
    if file[4:8] == b"ftyp" and file[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis"):
        return "HEIC, a phone's format. Save it as PNG or JPEG first"
    if file[4:8] == b"ftyp" and file[8:12] in (b"mif1", b"msf1") and b"hei" in file[:64]:
        return "HEIC, a phone's format. Save it as PNG or JPEG first"
    if head.startswith(b"<") and b"<svg" in file[:4096].lower():
        return "an SVG, a drawing without pixels. Save it as PNG or JPEG first"
    if head.startswith(b"%PDF"):
        return "a PDF. Save it as PNG or JPEG first"
    return ""
