"""A run as an animation: its pictures, their times, and what becomes of a cancelled one."""

import io
import itertools
from dataclasses import replace

import numpy as np
import pytest
from made_runs import SIDE, made_frames, made_run, made_settings, made_trajectory
from PIL import Image

from explorer.capture.sheets import frame_sheet
from explorer.records import RecordedRun
from explorer.records.exports import film
from explorer.records.exports.animation import can_write_mp4, write_mp4, write_webp
from explorer.records.exports.film import NothingToShow, film_of
from explorer.settings import LaneSettings

RUN = made_run()


def no_progress(done: int, count: int) -> None:
    pass


def frames_of(data: bytes) -> tuple[list[np.ndarray], list[int]]:
    """The pictures of a WebP, and how many milliseconds each is shown."""
    pictures, times = [], []
    with Image.open(io.BytesIO(data)) as image:
        for index in range(image.n_frames):
            image.seek(index)
            image.load()
            pictures.append(np.asarray(image.convert("RGB")))
            times.append(image.info["duration"])
    return pictures, times


def test_a_frame_a_call_and_the_finished_pictures_last():
    made = film_of(RUN, has_cursor=False)
    pictures, times = frames_of(write_webp(made, no_progress))
    assert len(pictures) == made.count == 5 + 1
    assert times == [83] * 5 + [1500]
    assert pictures[0].shape == (SIDE, 2 * SIDE + 4, 3)
    for index in range(5):
        for lane in range(2):
            wanted = RUN.lanes[lane].sheets["denoised"].frames()[index]
            found = pictures[index][:, lane * (SIDE + 4) :][:, :SIDE]
            assert np.abs(found.astype(int) - wanted).mean() < 12
    finished = np.asarray(Image.open(io.BytesIO(RUN.lanes[0].picture)).resize((SIDE, SIDE)))
    assert np.abs(pictures[5][:, :SIDE].astype(int) - finished).mean() < 12


def test_the_cursor_moves_along_the_sigmas_below():
    made = film_of(RUN)
    plain = film_of(RUN, has_cursor=False)
    assert made.size[0] == plain.size[0]
    assert made.size[1] == plain.size[1] + film.CAPTION + film.PLOT
    below = [np.asarray(made.draw(at))[-film.PLOT :] for at in range(5)]
    for one, other in itertools.pairwise(below):
        assert (one != other).any()
    assert (0xBF, 0x52, 0x09) in {tuple(pixel) for pixel in below[0].reshape(-1, 3).tolist()}


def test_one_lane_and_the_other_view():
    made = film_of(RUN, lane=1, view="noisy", has_cursor=False)
    assert made.size == (SIDE, SIDE)
    wanted = RUN.lanes[1].sheets["noisy"].frames()[2]
    np.testing.assert_array_equal(np.asarray(made.draw(2)), wanted)
    assert film_of(RUN, lane=1).positions == (1,)  # with its own letter and colour


def test_lanes_of_unequal_length_wait_at_their_last_call():
    settings = made_settings()
    short, long = (made_trajectory(settings, lane) for lane in range(2))
    short = replace(short, calls=short.calls[:2])
    frames = [
        replace(
            made_frames(0), denoised=made_frames(0).denoised[:2], noisy=made_frames(0).noisy[:2]
        ),
        made_frames(1),
    ]
    made = film_of(RecordedRun.of([short, long], frames), has_cursor=False)
    assert made.count == 6
    left = [np.asarray(made.draw(at))[:, :SIDE] for at in range(5)]
    np.testing.assert_array_equal(left[1], left[4])
    assert (left[0] != left[1]).any()


def test_a_long_run_has_a_bounded_film_and_little_memory(monkeypatch):
    monkeypatch.setattr(film, "MOST_FRAMES", 3)
    made = film_of(RUN)
    assert made.count == 4
    wanted = RUN.lanes[0].sheets["denoised"].frames()
    shown = [np.asarray(film_of(RUN, 0, has_cursor=False).draw(at)) for at in range(3)]
    for picture, call in zip(shown, (0, 2, 4), strict=True):
        np.testing.assert_array_equal(picture, wanted[call])


def test_sixteen_lanes_stand_in_rows_within_a_bounded_size():
    settings = made_settings(lanes=(LaneSettings(),) * 16)
    sheet = frame_sheet(np.zeros((5, 640, 640, 3), np.uint8))
    run = made_run(settings)
    lanes = tuple(replace(lane, sheets={"denoised": sheet}) for lane in run.lanes)
    width, height = film_of(replace(run, lanes=lanes)).size
    assert max(width, height) <= film.MOST_SIDE + 4 * (film.CAPTION + film.GAP) + film.PLOT
    assert width % 2 == height % 2 == 0


def test_finished_pictures_are_held_in_the_size_in_which_they_are_shown(monkeypatch):
    data = io.BytesIO()
    Image.new("RGB", (800, 600), "red").save(data, "PNG")
    lanes = tuple(replace(lane, picture_file=data.getvalue()) for lane in RUN.lanes)
    made = film_of(replace(RUN, lanes=lanes))
    assert made.draw(5).getpixel((3, 3)) == (255, 0, 0)
    assert [picture.size for picture in made._pictures] == [(SIDE, SIDE)] * 2
    monkeypatch.setattr(film, "MOST_OF_ALL", 2 * 6 * SIDE * SIDE - 1)  # two sheets of 3 x 2 frames
    with pytest.raises(NothingToShow, match="choose one of them"):
        film_of(RUN)
    assert film_of(RUN, 0).count == 6


def test_a_run_without_frames_is_a_sentence():
    with pytest.raises(NothingToShow, match=r"no frames to animate"):
        film_of(RecordedRun.of([made_trajectory(made_settings(), 0)]))
    lanes = (
        replace(RUN.lanes[0], sheets={"denoised": frame_sheet(np.zeros((3, 8, 8, 3), np.uint8))}),
    )
    with pytest.raises(NothingToShow, match="not those of the run"):
        film_of(replace(RUN, lanes=lanes))


def test_progress_counts_the_pictures_and_may_end_the_work(tmp_path):
    seen = []
    write_webp(film_of(RUN), lambda done, count: seen.append((done, count)))
    assert seen == [(done, 6) for done in range(1, 6)]

    def stop(done: int, count: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    for write in (write_webp, lambda made, step: write_mp4(made, tmp_path / "a.mp4", step)):
        with pytest.raises(KeyboardInterrupt):
            write(film_of(RUN), stop)


def test_an_mp4_plays(tmp_path):
    import imageio_ffmpeg

    assert can_write_mp4()
    made = film_of(RUN)
    write_mp4(made, tmp_path / "run.mp4", no_progress)
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "run.mp4"))
    meta = next(reader)
    assert (meta["codec"], meta["size"], meta["fps"]) == ("h264", made.size, film.PER_SECOND)
    pictures = [np.frombuffer(each, np.uint8).reshape(*made.size[::-1], 3) for each in reader]
    assert len(pictures) == 5 + 18
    wanted = np.asarray(made.draw(0)).astype(int)
    assert np.abs(pictures[0] - wanted).mean() < 8
    head = (tmp_path / "run.mp4").read_bytes()
    assert head.index(b"moov") < head.index(b"mdat")  # begins to play before it is whole
    assert "yuv420p" in meta["pix_fmt"]
