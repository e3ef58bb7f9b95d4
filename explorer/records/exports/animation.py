"""A film as one file: WebP, and MP4 where imageio-ffmpeg is installed."""

import io
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.records.exports.film import PER_SECOND, Film

if TYPE_CHECKING:
    from PIL.Image import Image

QUALITY = 88  # of WebP, of a hundred: noise keeps its grain
METHOD = 2  # of 6: how long WebP searches for fewer bytes; each one takes half as long again
VIDEO_QUALITY = 8  # of 10, imageio's
WITHOUT_MP4 = "MP4 takes the package imageio-ffmpeg, which this server does not have."

# Called with how many of how many pictures are made; whatever it raises ends the work.
Progress = Callable[[int, int], None]


def can_write_mp4() -> bool:
    """Whether the package that brings ffmpeg is installed."""
    return find_spec("imageio_ffmpeg") is not None


def write_webp(film: Film, progress: Progress) -> bytes:
    """The film as an animated WebP that repeats; pictures are drawn as they are needed."""
    data = io.BytesIO()
    rest = _Rest(film, progress)
    film.draw(0).save(
        data,
        "WEBP",
        save_all=True,
        append_images=[rest],
        duration=[round(1000 * each) for each in film.seconds],
        loop=0,
        quality=QUALITY,
        method=METHOD,
    )
    return data.getvalue()


class _Rest:
    """All pictures of a film but the first, in place of a file with so many frames.

    Pillow asks it for one after the other, so that neither they are all in memory nor the work is
    without progress.
    """

    def __init__(self, film: Film, progress: Progress):
        self.n_frames = film.count - 1
        self._film, self._progress = film, progress
        self._image: Image | None = None

    def seek(self, frame: int) -> None:
        self._progress(frame + 1, self._film.count)
        self._image = self._film.draw(frame + 1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._image, name)


def write_mp4(film: Film, path: Path, progress: Progress) -> None:
    """The film as an MP4 that every browser plays, H.264; raises OSError where that fails."""
    import imageio_ffmpeg

    writer = imageio_ffmpeg.write_frames(
        str(path),
        film.size,
        fps=PER_SECOND,
        quality=VIDEO_QUALITY,
        codec="libx264",
        pix_fmt_out="yuv420p",
        macro_block_size=2,
        ffmpeg_log_level="error",
        output_params=["-movflags", "+faststart"],
    )
    try:
        writer.send(None)
        for index, seconds in enumerate(film.seconds):
            progress(index, film.count)
            picture = film.draw(index).tobytes()
            for _ in range(round(seconds * PER_SECOND)):
                writer.send(picture)
    except RuntimeError as error:  # there is no ffmpeg that runs here
        raise OSError(f"ffmpeg could not write the film: {error}") from None
    finally:
        writer.close()
    if not path.is_file() or not path.stat().st_size:
        raise OSError("ffmpeg wrote no film")
