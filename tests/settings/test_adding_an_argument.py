"""CONTRIBUTING's recipe for a scheduler argument is true: following it adds one, everywhere."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# By file of the recipe, what is written there and the line it is written before.
EDITS = {
    "explorer/sampling/schedule_options.py": (
        "    stretch: float = _option(1.0, Number(0.5, 2))\n",
        "    midpoint_ratio: float = _option(",
    ),
    "explorer/sampling/schedulers.py": (
        "        stretch: float = 1.0,\n",
        "        midpoint_ratio: float = 0.5,\n",
    ),
    "explorer/sampling/schedules.py": (
        "    sigma = sigma * options.stretch\n",
        "    hat = churned(sigma,",
    ),
    "explorer/settings/lane_fields.py": (
        '    stretch: float = argument(\n        "stretch", "Stretch", "Times all sigmas.", '
        'group="noise"\n    )\n',
        "    midpoint_ratio: float = argument(",
    ),
}
# What must follow from those edits alone.
FOLLOWS = """
from explorer.doctor.examine import examine
from explorer.sampling.schedulers import KDPM2DiscreteScheduler
from explorer.settings import LaneSettings, SettingsError
from explorer.settings.scheduler_file import read_scheduler_file, write_scheduler_file
from explorer.views.lanes import spec

plain, lane = LaneSettings(), LaneSettings(stretch=1.5)
assert (lane.schedule(4).sigma == plain.schedule(4).sigma * 1.5).all()
for wrong in (0.4, 2.1, "wide", None):
    try:
        LaneSettings(stretch=wrong)
    except SettingsError as error:
        assert error.name == "stretch"
        assert str(error).startswith("Stretch must be a number from 0.5 to 2"), error
    else:
        raise AssertionError(wrong)

scheduler = KDPM2DiscreteScheduler.from_config(lane.scheduler_config())
scheduler.set_timesteps(4)
assert scheduler.config["stretch"] == 1.5
assert (scheduler.schedule.sigma == lane.schedule(4).sigma).all()
assert LaneSettings.from_config("dpm2", scheduler.config).stretch == 1.5
try:
    KDPM2DiscreteScheduler(stretch=3)
except ValueError as error:
    assert "stretch must be a number from 0.5 to 2" in str(error), error
else:
    raise AssertionError("a scheduler outside the range")

file = read_scheduler_file(write_scheduler_file(lane))
assert file.lane == lane and not file.notes, file.notes
try:
    read_scheduler_file('{"_class_name": "KDPM2DiscreteScheduler", "stretch": "wide"}')
except SettingsError as error:
    assert "stretch must be a number" in str(error) or "Stretch" in str(error), error
else:
    raise AssertionError("a file of the wrong type")

rows = [row for group in spec()["groups"] for row in group["fields"]]
row = next(row for row in rows if row["name"] == "stretch")
assert row["label"] == "Stretch" and row["kind"] == "real"
assert set(row["when"]["sampler"]) == {"dpm2", "dpm2_a"}

euler = LaneSettings(sampler="euler", stretch=1.5)
sentences = [finding.sentence for finding in examine(euler, euler.schedule(9), 9)]
assert "Stretch has no effect: Euler (diffusers) has no such argument." in sentences, sentences
"""


def test_the_recipe_names_every_file_that_an_argument_takes():
    papers = (ROOT / "CONTRIBUTING.md").read_text()
    recipe = re.search(r"- To add an argument of the schedulers.*?\n(?=- )", papers, re.S)
    assert recipe, "CONTRIBUTING.md has no such recipe"
    needed = re.split(r"Only\s+if", recipe[0])[0]
    assert set(re.findall(r"`(explorer/[\w/]+\.py)`", needed)) == EDITS.keys()


def test_an_argument_added_by_the_recipe_is_known_everywhere(tmp_path):
    shutil.copytree(
        ROOT / "explorer", tmp_path / "explorer", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name, (line, before) in EDITS.items():
        path = tmp_path / name
        source = path.read_text()
        assert source.count(before) == 1, (name, before)
        path.write_text(source.replace(before, line + before))
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FOLLOWS],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
