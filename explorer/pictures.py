"""The start picture of image to image, as text that a settings file can hold: a data URL."""

import base64
import binascii
import io
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.limits import DEFAULTS, MIB

if TYPE_CHECKING:
    from PIL.Image import Image

# What Pillow may decode, by its name for it. A phone's "MPO" is a JPEG with more pictures behind
# it. Of an animation the first picture is taken.
FORMATS = (
    "PNG",
    "JPEG",
    "WEBP",
    "AVIF",
    "GIF",
    "BMP",
    "TIFF",
    "PPM",
    "TGA",
    "ICO",
    "JPEG2000",
)
LARGEST_FILE = DEFAULTS.upload_bytes
LARGEST_DECODED = 256 * MIB  # of one picture in memory, as Pillow holds it
LARGEST_USED = 2048  # pixels a side of any run: a JPEG is decoded no larger than it must be
BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}  # a pixel; else 4
SIXTEEN = ("I;16", "I;16B", "I;16L", "I;16N")

WANTED = "it must be a picture, such as a PNG, JPEG, WebP or AVIF"


def picture_url(picture: "str | Path | bytes | Image") -> str:
    """Return a picture (a file, a file's bytes, or a PIL picture) as a data URL.

    A browser never comes here with a path: see uploads.py. Raises ValueError, with a sentence, for
    what is no picture, is damaged, or is too large.
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
    _decoded(picture, 64, 64)  # a damaged file is refused where it is chosen
    return f"data:{kind};base64,{base64.b64encode(picture).decode()}"


@lru_cache(maxsize=2)  # settings are copied often, and their picture is the same
def check_picture(url: str) -> str:
    """Return the URL itself; ValueError unless it holds a picture of a bearable size."""
    _check_file(_file(url))
    return url


def read_picture(url: str, width: int, height: int) -> "Image":
    """Return the picture at this size: scaled to cover it, both overhangs cut off alike.

    Transparent parts become white, more than 8 bits a channel are scaled to 8. Raises ValueError
    where the file is damaged.
    """
    return _decoded(_file(url), width, height)


def _decoded(file: bytes, width: int, height: int) -> "Image":
    from PIL import Image, ImageOps

    try:
        with _opened(file) as picture:
            sides = (max(width, height),) * 2  # its camera may have been turned
            picture.draft(picture.mode, sides)
            whole = _eight_bits(ImageOps.exif_transpose(picture))
            if whole.has_transparency_data:
                whole = whole.convert("RGBA")
                white = Image.new("RGBA", whole.size, "white")
                whole = Image.alpha_composite(white, whole)
            return ImageOps.fit(whole.convert("RGB"), (width, height), Image.Resampling.LANCZOS)
    except Exception as error:  # a decoder of damaged bytes may raise anything
        reason = f" ({str(error)[:100]})" if isinstance(error, OSError | ValueError) else ""
        raise ValueError(f"The start picture's file is damaged{reason}.") from None


def _opened(file: bytes) -> "Image":
    from PIL import Image

    Image.init()  # or a list of formats would hold only those that Pillow has loaded so far
    return Image.open(io.BytesIO(file), formats=FORMATS)


def _eight_bits(picture: "Image") -> "Image":
    """Grey of more than 8 bits scaled to 8, which Pillow would clip; others as they are.

    Numbers of 32 bits have no agreed white: they are 16-bit ones, or of 0 to 1 where they are
    fractions, and where they go beyond that the largest is white.
    """
    import numpy as np
    from PIL import Image

    if picture.mode not in (*SIXTEEN, "I", "F"):
        return picture
    values = np.asarray(picture).astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("it holds numbers that are not finite")
    white = 1.0 if picture.mode == "F" else 65535.0
    if (largest := float(values.max(initial=0.0))) > white:
        white = 255.0 if picture.mode == "F" and largest <= 255 else largest
    scaled = np.clip(values / white, 0, 1) * 255
    return Image.fromarray(scaled.round().astype(np.uint8))


def _file(url: str) -> bytes:
    head, comma, data = url.partition(",")
    kind, _, coding = head.lower().partition(";")
    if not comma or not kind.startswith("data:image/") or coding != "base64":
        raise ValueError(f"{WANTED}, as a data URL.")
    if len(data) > 4 * LARGEST_FILE // 3 + 4:
        raise ValueError(f"the file may have at most {LARGEST_FILE // MIB} MB.")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):  # ValueError: letters beyond ASCII
        raise ValueError(f"{WANTED}; this text is no picture.") from None


def _check_file(file: bytes) -> str:
    """The file's media type, by its header alone: nothing is unpacked."""
    from PIL import Image

    if len(file) > LARGEST_FILE:
        raise ValueError(
            f"the file may have at most {LARGEST_FILE // MIB} MB; "
            f"this one has {len(file) / MIB:.1f}."
        )
    if named := _foreign(file):
        raise ValueError(f"{WANTED}; this file is {named}. Save it as PNG or JPEG first.")
    try:
        with _opened(file) as picture:
            kind = Image.MIME.get("JPEG" if picture.format == "MPO" else picture.format)
            size, needed = picture.size, _memory(picture)
    except Image.DecompressionBombError:
        raise ValueError("the picture is too large to be decoded; scale it down first.") from None
    except Exception:  # as above
        raise ValueError(f"{WANTED}; this file is none that can be read.") from None
    if needed > LARGEST_DECODED:
        raise ValueError(
            f"the picture of {size[0]:,} x {size[1]:,} pixels would take {needed / MIB:,.0f} MB in "
            f"memory; at most {LARGEST_DECODED // MIB} are allowed. Scale it down first."
        )
    return kind or "image/png"


def _memory(picture: Any) -> int:
    """Bytes that decoding takes at most; of a JPEG only what is left after its reduction."""
    width, height = picture.size
    coefficients = 6 * width * height if picture.info.get("progressive") else 0
    picture.draft(picture.mode, (LARGEST_USED, LARGEST_USED))
    width, height = picture.size
    return max(coefficients, width * height * BYTES.get(picture.mode, 4))


def _foreign(file: bytes) -> str:
    """What a file is that people take for a picture and that is not decoded here; "" otherwise."""
    head = file[:1024].lstrip()
    if file[4:8] == b"ftyp" and file[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis"):
        return "HEIC, a phone's format"
    if file[4:8] == b"ftyp" and file[8:12] in (b"mif1", b"msf1") and b"hei" in file[:64]:
        return "HEIC, a phone's format"
    if head.startswith(b"<") and b"<svg" in file[:4096].lower():
        return "an SVG, a drawing without pixels"
    if head.startswith(b"%PDF"):
        return "a PDF"
    return ""
