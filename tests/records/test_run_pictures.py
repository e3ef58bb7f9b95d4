"""A lane's pictures as a PNG file that says how they came, and a run's thumbnail."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from made_runs import SIDE, made_frames, made_settings, made_trajectory, pixels
from PIL import Image

from explorer.capture.grids import grid
from explorer.capture.trajectory import Trajectory
from explorer.records import RecordedLane, RecordedRun
from explorer.records.interchange.picture_text import KEY
from explorer.records.pictures import THUMBNAIL_SIDE, lane_png, thumbnail
from explorer.settings import RunSettings


def test_the_file_says_how_the_pictures_came():
    settings = RunSettings(seed=7, batch_size=2).to_dict() | {
        "init_image": "data:image/png;base64,"
    }
    trajectory = Trajectory(
        settings=settings, lane=1, images=pixels(0, 2), model="scenes", device="cpu"
    )
    opened = Image.open(io.BytesIO(lane_png(trajectory)))
    np.testing.assert_array_equal(np.asarray(opened), grid(pixels(0, 2)))
    facts = json.loads(opened.text[KEY])
    assert (facts["model"], facts["noise_drawn_on"], facts["lane"]) == ("scenes", "cpu", 1)
    assert (facts["settings"]["seed"], facts["settings"]["rng"]) == (7, "cpu")
    assert "init_image" not in facts["settings"]
    assert len(facts["start_picture_sha256"]) == 64


def test_a_lane_without_pictures_has_no_file():
    with pytest.raises(ValueError, match="no pictures"):
        lane_png(Trajectory())
    assert thumbnail([RecordedLane(trajectory=Trajectory())]) is None


def test_a_picture_is_compressed_when_it_is_asked_for_and_once(monkeypatch):
    """A run on a GPU would take a third longer for it."""
    made = []
    monkeypatch.setattr("explorer.records.run.lane_png", lambda each: made.append(each) or b"PNG")
    lane = RecordedRun.of([made_trajectory(made_settings(), 0)]).lanes[0]
    assert made == []
    assert (lane.picture, lane.picture) == (b"PNG", b"PNG")
    assert made == [lane.trajectory]


def test_a_thumbnail_shows_the_first_lanes_beside_each_other():
    lanes = [made_trajectory(made_settings(), lane) for lane in (0, 1)]
    picture = Image.open(io.BytesIO(thumbnail(RecordedRun.of([Trajectory(), *lanes]).lanes)))
    assert picture.size == (4 * THUMBNAIL_SIDE, THUMBNAIL_SIDE)  # two pictures a lane
    assert picture.format == "JPEG"


def test_a_stopped_run_has_its_last_predictions_as_its_thumbnail():
    made = made_trajectory(made_settings(), 0, images=None, final=None, state="cancelled")
    (lane,) = RecordedRun.of([made], [made_frames(0)]).lanes
    shown = np.asarray(Image.open(io.BytesIO(thumbnail([lane]))).resize((SIDE, SIDE)), int)
    assert np.abs(shown - made_frames(0).denoised[-1]).mean() < 6
    broken = replace(lane.sheets["denoised"], file=b"no picture")
    assert thumbnail([replace(lane, sheets={"denoised": broken})]) is None
