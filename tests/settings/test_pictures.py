"""Start pictures: what is taken, what is refused with a sentence, how one is cut to size."""

import base64
import io
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from explorer.settings import start_picture as pictures
from explorer.settings.limits import LIMITS, Limits
from explorer.settings.picture_files import KEPT_PIXELS, decode, decoded_bytes
from explorer.settings.start_picture import (
    check_picture,
    kept_picture,
    picture_url,
    read_picture,
)


def file(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()


def url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def halves(width: int, height: int) -> Image.Image:
    """Red on the left, blue on the right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = pixels[:, width // 2 :, 2] = 255
    return Image.fromarray(pixels)


def test_a_picture_comes_from_a_file_its_bytes_or_pil(tmp_path):
    picture = halves(40, 24)
    (tmp_path / "start.png").write_bytes(file(picture))
    for given in (tmp_path / "start.png", str(tmp_path / "start.png"), file(picture), picture):
        back = read_picture(check_picture(picture_url(given)), 40, 24)
        np.testing.assert_array_equal(np.asarray(back), np.asarray(picture))
    assert picture_url(file(picture, "JPEG")).startswith("data:image/jpeg;base64,")


def test_a_file_that_is_not_there_is_a_sentence():
    with pytest.raises(ValueError, match=r"nowhere\.png cannot be read"):
        picture_url("nowhere.png")


@pytest.mark.parametrize(
    "bad",
    [
        "start.png",
        "https://example.com/start.png",
        "data:text/html;base64,PGI+",
        "data:image/png;base64,****",
        "data:image/png;base64,\u00e9",
        "data:image/png,abc",
        url(b""),
        url(file(halves(32, 32), "ICO")),
        url(b"GIF89a" + bytes(100)),
        url(b"not a picture at all"),
        url(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n"),
    ],
)
def test_what_is_no_picture_is_refused(bad):
    with pytest.raises(ValueError, match="must be a picture"):
        check_picture(bad)


@pytest.mark.parametrize(
    ("head", "named"),
    [
        (b"\0\0\0\x18ftypheic" + bytes(64), "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic" + bytes(64), "HEIC"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b'<?xml version="1.0"?>\n<svg/>', "SVG"),
        (b"%PDF-1.7\n", "PDF"),
    ],
)
def test_what_people_take_for_a_picture_is_named(head, named):
    with pytest.raises(ValueError, match=f"this file is an? {named}|this file is {named}"):
        picture_url(head)


def png_chunk(data: bytes, name: bytes, content: bytes) -> bytes:
    """The PNG with one more chunk before its pixels."""
    place = data.index(b"IDAT") - 4
    crc = zlib.crc32(name + content).to_bytes(4, "big")
    return data[:place] + len(content).to_bytes(4, "big") + name + content + crc + data[place:]


def ycck(picture: Image.Image) -> bytes:
    """A JPEG as printers have it: luma, chroma and black, marked so by Adobe's segment."""
    inverted = ImageOps.invert(picture).convert("YCbCr")
    luma, blue, red = (np.asarray(band) for band in inverted.split())
    black = np.full_like(luma, 255)  # its inks are stored inverted, and so are read
    inks = Image.merge("CMYK", [Image.fromarray(255 - band) for band in (luma, blue, red, black)])
    data = bytearray(file(inks, "JPEG", quality=95, subsampling=0))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


GREY = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
RGB = halves(64, 64)
CLEAR = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
PALETTE = RGB.convert("P", palette=Image.Palette.ADAPTIVE)
# kind, its file, and what the middles of its left and right halves are
KINDS = {
    "png": (file(RGB), (255, 0, 0), (0, 0, 255)),
    "jpeg": (file(RGB, "JPEG", quality=95), (255, 0, 0), (0, 0, 255)),
    "progressive jpeg": (
        file(RGB, "JPEG", quality=95, progressive=True),
        (255, 0, 0),
        (0, 0, 255),
    ),
    "mpo": (
        file(RGB, "MPO", save_all=True, append_images=[CLEAR.convert("RGB")], quality=95),
        (255, 0, 0),
        (0, 0, 255),
    ),
    "cmyk jpeg": (file(RGB.convert("CMYK"), "JPEG", quality=95), (255, 0, 0), (0, 0, 255)),
    "webp": (file(RGB, "WEBP", lossless=True), (255, 0, 0), (0, 0, 255)),
    "avif": (file(RGB, "AVIF", quality=95), (255, 0, 0), (0, 0, 255)),
    "gif": (file(RGB, "GIF"), (255, 0, 0), (0, 0, 255)),
    "animated gif": (
        file(RGB, "GIF", save_all=True, append_images=[CLEAR.convert("RGB")]),
        (255, 0, 0),
        (0, 0, 255),
    ),
    "animated png": (
        file(RGB, "PNG", save_all=True, append_images=[CLEAR.convert("RGB")]),
        (255, 0, 0),
        (0, 0, 255),
    ),
    "animated webp": (
        file(RGB, "WEBP", save_all=True, append_images=[CLEAR.convert("RGB")], lossless=True),
        (255, 0, 0),
        (0, 0, 255),
    ),
    "bmp": (file(RGB, "BMP"), (255, 0, 0), (0, 0, 255)),
    "tiff": (file(RGB, "TIFF"), (255, 0, 0), (0, 0, 255)),
    "jpeg 2000": (file(RGB, "JPEG2000"), (255, 0, 0), (0, 0, 255)),
    "palette": (file(PALETTE), (255, 0, 0), (0, 0, 255)),
    "palette with a transparent colour": (
        file(PALETTE, transparency=PALETTE.getpixel((8, 32))),
        (255, 255, 255),
        (0, 0, 255),
    ),
    "transparent": (file(CLEAR), (255, 255, 255), (255, 255, 255)),
    "grey and alpha": (file(Image.new("LA", (64, 64), (80, 255))), (80,) * 3, (80,) * 3),
    "black and white": (file(Image.new("1", (64, 64), 1)), (255,) * 3, (255,) * 3),
    "grey": (file(Image.new("L", (64, 64), 100)), (100,) * 3, (100,) * 3),
    "16-bit grey": (file(Image.fromarray(GREY)), (128,) * 3, (128,) * 3),
    "16-bit grey tiff": (file(Image.fromarray(GREY), "TIFF"), (128,) * 3, (128,) * 3),
    "16-bit grey with a transparent value": (
        png_chunk(file(Image.fromarray(GREY)), b"tRNS", b"\0\0"),
        (128,) * 3,
        (128,) * 3,
    ),
    "ycck jpeg": (ycck(RGB), (255, 0, 0), (0, 0, 255)),
    "big-endian 16-bit grey": (
        file(Image.frombytes("I;16B", (64, 64), GREY.astype(">u2").tobytes()), "TIFF"),
        (128,) * 3,
        (128,) * 3,
    ),
    "32-bit grey": (
        file(Image.fromarray(GREY.astype(np.int32)), "TIFF"),
        (128,) * 3,
        (128,) * 3,
    ),
    "fractions": (
        file(Image.fromarray(GREY.astype(np.float32) / 65535), "TIFF"),
        (128,) * 3,
        (128,) * 3,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_still_picture_is_used(kind):
    data, left, right = KINDS[kind]
    back = np.asarray(read_picture(check_picture(picture_url(data)), 64, 64)).astype(int)
    assert back.shape == (64, 64, 3)
    assert np.abs(back[32, 8] - left).max() <= 4, back[32, 8]
    assert np.abs(back[32, 56] - right).max() <= 4, back[32, 56]


def test_a_16_bit_ramp_stays_a_ramp():
    back = np.asarray(read_picture(picture_url(file(Image.fromarray(GREY))), 64, 64))[..., 0]
    assert back[0, 0] == 0
    assert back[-1, -1] == 255
    assert (np.diff(back.ravel().astype(int)) >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_file_is_a_sentence_when_it_is_chosen(kind):
    data = KINDS[kind][0]
    for cut in (0, 1, 7, len(data) // 3):
        with pytest.raises(ValueError, match=r"must be a picture|damaged"):
            picture_url(data[:cut])


def test_a_photo_of_24_megapixels_is_used():
    photo = file(halves(5712, 4284), "JPEG")
    back = np.asarray(read_picture(picture_url(photo), 128, 128)).astype(int)
    assert np.abs(back[64, 16] - (254, 0, 0)).max() <= 3


def test_a_large_jpeg_is_decoded_no_larger_than_it_must_be():
    photo = file(halves(5712, 4284), "JPEG")
    with Image.open(io.BytesIO(photo)) as picture:
        assert decoded_bytes(picture) == 5712 * 4284  # a fourth of its RGBX bytes


def test_a_large_picture_takes_no_multiple_of_its_memory_in_any_mode():
    """Of one byte a pixel, it would be four times that as a whole, and more on white."""
    import tracemalloc

    for picture in (Image.new("P", (6000, 6000)), Image.fromarray(np.zeros((6000, 6000), "u2"))):
        data = file(picture, transparency=0) if picture.mode == "P" else file(picture)
        tracemalloc.start()  # sees NumPy's memory; Pillow's is bounded by the strips
        small = decode(data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert small.size == (2000, 2000)
        assert peak < 40 * 2**20


def test_every_mode_counts_as_the_pixels_that_it_becomes():
    with pytest.raises(ValueError, match=r"13,300 x 13,300 pixels would take 675 MB"):
        picture_url(file(Image.new("P", (13300, 13300))))


def test_a_picture_reduced_in_strips_is_that_reduced_at_once():
    random = np.random.default_rng(0)
    small = Image.fromarray(random.integers(0, 256, (41, 67, 3), np.uint8))
    picture = small.resize((67 * 64, 41 * 64), Image.Resampling.BICUBIC)
    assert picture.width * picture.height > KEPT_PIXELS
    back = np.asarray(decode(file(picture, compress_level=1)))
    np.testing.assert_array_equal(back, np.asarray(picture.reduce(2)))


@pytest.mark.slow
@pytest.mark.parametrize("turned", [1, 6])
def test_a_photo_is_kept_small_and_turned(turned):
    photo = halves(5712, 4284)
    noise = np.random.default_rng(0).normal(0, 12, (4284, 5712, 1))
    grainy = Image.fromarray(np.clip(np.asarray(photo) + noise, 0, 255).astype(np.uint8))
    exif = photo.getexif()
    exif[0x0112] = turned
    kept = picture_url(file(grainy, "JPEG", quality=95, exif=exif))
    assert len(kept) < 4 * LIMITS.kept_picture_bytes / 3 + 100
    assert kept == kept_picture(kept)
    size = (64, 48) if turned == 1 else (48, 64)
    back = np.asarray(read_picture(kept, *size)).astype(int)
    assert np.abs(back[8, 8] - (250, 5, 5)).max() < 16
    assert np.abs(back[-8, -8] - (5, 5, 250)).max() < 16


def test_a_small_file_is_kept_as_it_is():
    data = file(halves(64, 64), "WEBP")
    assert base64.b64decode(picture_url(data).partition(",")[2]) == data


def test_damage_of_any_kind_is_a_sentence_or_a_picture():
    random = np.random.default_rng(5)
    for data, _, _ in KINDS.values():
        for _ in range(12):
            damaged = bytearray(data)
            for place in random.integers(0, len(data), 4):
                damaged[place] = random.integers(0, 256)
            try:
                read_picture(picture_url(bytes(damaged)), 32, 32)
            except ValueError as error:
                assert str(error).endswith(".")


def claiming(width: int, height: int) -> bytes:
    """A small PNG whose header claims another size."""
    head = bytearray(file(halves(8, 8)))
    head[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    head[29:33] = zlib.crc32(bytes(head[12:29])).to_bytes(4, "big")
    return bytes(head)


def test_a_picture_too_large_in_memory_is_refused_with_its_size():
    with pytest.raises(ValueError, match=r"9,000 x 8,000 pixels would take 275 MB"):
        check_picture(url(claiming(9_000, 8_000)))


def test_a_file_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(pictures, "LIMITS", Limits(upload_bytes=2**20))
    noise = np.random.default_rng(0).integers(0, 256, (640, 640, 3), np.uint8)
    with pytest.raises(ValueError, match="at most 1 MB"):
        check_picture(url(file(Image.fromarray(noise))))


def test_a_bomb_is_refused_by_its_header():
    with pytest.raises(ValueError, match="too large"):
        check_picture(url(claiming(60_000, 60_000)))


def test_a_picture_of_another_shape_is_covered_and_cut_evenly():
    back = np.asarray(read_picture(picture_url(halves(200, 50)), 64, 64))
    assert back.shape == (64, 64, 3)
    assert (back[:, :28] == (255, 0, 0)).all()  # still half and half
    assert (back[:, 36:] == (0, 0, 255)).all()


def test_transparent_parts_become_white_and_gray_becomes_rgb():
    clear = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    assert (np.asarray(read_picture(picture_url(clear), 16, 16)) == 255).all()
    gray = Image.new("L", (16, 16), 100)
    assert (np.asarray(read_picture(picture_url(gray), 16, 16)) == 100).all()


def test_a_photo_is_turned_as_its_camera_says():
    picture = halves(64, 32)
    exif = picture.getexif()
    exif[0x0112] = 6  # turn right
    turned = read_picture(picture_url(file(picture, "PNG", exif=exif)), 32, 64)
    top, bottom = np.asarray(turned)[8, 16], np.asarray(turned)[56, 16]
    assert (top[0], bottom[2]) == (255, 255)
