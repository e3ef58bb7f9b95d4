"""Start pictures: what is taken, what is refused with a sentence, how one is cut to size."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from explorer import pictures
from explorer.pictures import check_picture, picture_url, read_picture


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
        url(b""),
        url(b"GIF89a" + bytes(100)),
        url(file(halves(8, 8), "GIF")),
        url(file(halves(8, 8), "WEBP"), "image/webp"),
        url(b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
    ],
)
def test_what_is_no_png_or_jpeg_is_refused(bad):
    with pytest.raises(ValueError, match="PNG or JPEG"):
        check_picture(bad)


def test_a_picture_too_wide_is_refused_with_its_size():
    with pytest.raises(ValueError, match=r"4,096 pixels a side; this one is 4104 x 8\."):
        check_picture(picture_url_unchecked(halves(4104, 8)))


def picture_url_unchecked(picture: Image.Image) -> str:
    return url(file(picture))


def test_a_file_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(pictures, "LARGEST_FILE", 2**20)
    noise = np.random.default_rng(0).integers(0, 256, (640, 640, 3), np.uint8)
    with pytest.raises(ValueError, match="at most 1 MB"):
        check_picture(url(file(Image.fromarray(noise))))


def test_a_bomb_is_refused_by_its_header():
    head = bytearray(file(halves(8, 8)))
    head[16:24] = (60_000).to_bytes(4, "big") * 2  # the size that the file claims
    import zlib

    head[29:33] = zlib.crc32(bytes(head[12:29])).to_bytes(4, "big")
    with pytest.raises(ValueError, match=r"too large|4,096"):
        check_picture(url(bytes(head)))


def test_a_truncated_file_is_a_sentence_when_it_is_read():
    data = file(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)))
    cut = check_picture(url(data[: len(data) // 2]))  # its header is whole
    with pytest.raises(ValueError, match=r"^The start picture's file is damaged \(.*\)\.$"):
        read_picture(cut, 64, 64)


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
