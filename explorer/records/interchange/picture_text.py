"""The texts that programs leave in a picture's file, without decoding the picture."""

from collections.abc import Iterator

from explorer.records.interchange.collected import FIELD
from explorer.settings.fields import SettingsError
from explorer.settings.limits import LIMITS
from explorer.settings.picture_costs import CountedReads

KEY = "sampler-explorer"  # of the PNG's text that holds the run as JSON
PARAMETERS = "parameters"  # of A1111's text, which Civitai reads too
EXIF_IFD, USER_COMMENT = 0x8769, 0x9286
CODES = {b"UNICODE\0": ("utf-16-be", "utf-16-le"), b"ASCII\0\0\0": ("utf-8",)}
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF")


def picture_texts(file: bytes) -> dict[str, str]:
    """The texts of a picture's file by their keys: those of a PNG, or an EXIF comment.

    The comment, in which other kinds of file hold A1111's text, has its key `parameters`. Raises
    SettingsError for a file that is no picture.
    """
    if len(file) > LIMITS.upload_bytes:
        raise SettingsError(FIELD, "This picture's file is too large.")
    read = _read(file)
    if read is None:  # raised here, it does not hold on to what the decoder has in memory
        raise SettingsError(FIELD, "This file is no picture that can be read.")
    texts, comment = read
    if isinstance(comment, bytes):
        texts.setdefault(PARAMETERS, next(_decoded(comment), ""))
    return {key: value for key, value in texts.items() if value.strip()}


def _read(file: bytes) -> tuple[dict[str, str], object] | None:
    """The texts of a PNG, and the EXIF comment; None for what is no picture."""
    from PIL import Image

    try:
        with Image.open(CountedReads(file), formats=FORMATS) as picture:
            texts = {
                key: value
                for key, value in picture.info.items()
                if isinstance(key, str) and isinstance(value, str)
            }
            # A PNG's own method decodes it, to look for EXIF behind its pixels.
            return texts, Image.Image.getexif(picture).get_ifd(EXIF_IFD).get(USER_COMMENT)
    except Exception:  # a decoder of damaged bytes may raise anything
        return None


def _decoded(comment: bytes) -> Iterator[str]:
    """The text of an EXIF comment, which begins with its code; programs differ in byte order."""
    for encoding in CODES.get(comment[:8], ("utf-8",)):
        body = comment[8:] if comment[:8] in CODES else comment
        try:
            text = body.decode(encoding).strip("\0")
        except UnicodeDecodeError:
            continue
        if sum(letter.isascii() for letter in text) * 2 >= len(text):
            yield text
    yield comment[8:].decode("utf-8", "replace").strip("\0")
