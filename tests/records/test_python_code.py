"""A lane as Python: the program runs where its author would run it, and makes the same pictures."""

import ast
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from forked import ran
from made_runs import made_run, made_settings, made_trajectory, start_picture
from PIL import Image

from explorer.engine import Engine
from explorer.records import RecordedRun
from explorer.records.exports.python_code import python_code
from explorer.settings import LaneSettings, RunSettings

ROOT = Path(__file__).resolve().parents[2]
RUN = RunSettings(
    prompt='a red sailboat, "evening" \\ low sun', negative_prompt="night", seed=7, steps=6
)
KARRAS = {"schedule_type": "karras"}
ALONE = {
    "dpm2": LaneSettings(),
    "dpm2_karras": LaneSettings(**KARRAS),
    "dpm2_exponential": LaneSettings(schedule_type="exponential"),
    "dpm2_beta": LaneSettings(schedule_type="beta", timestep_spacing="trailing"),
    "dpm2_a": LaneSettings(sampler="dpm2_a"),
    "dpm2_a_karras": LaneSettings(sampler="dpm2_a", **KARRAS),
    "euler": LaneSettings(sampler="euler"),
    "euler_listed": LaneSettings(sampler="euler", sigmas=(14.0, 5.0, 2.0, 0.5)),
    "euler_a": LaneSettings(sampler="euler_a"),
    "heun": LaneSettings(sampler="heun"),
    "dpmpp_2m_karras": LaneSettings(sampler="dpmpp_2m", **KARRAS),
    "dpmpp_sde": LaneSettings(sampler="dpmpp_sde"),
    "ddim": LaneSettings(sampler="ddim"),
    "unipc": LaneSettings(sampler="unipc"),
}
OURS = {
    "eta": LaneSettings(sampler="dpm2_a", eta=0.5, s_noise=1.01),
    "churn": LaneSettings(s_churn=3, discard_penultimate_sigma=True),
    "listed": LaneSettings(sigmas=(14.0, 5.0, 2.0, 0.5)),
    "type": LaneSettings(schedule_type="polyexponential", rho=2, midpoint_ratio=0.6),
}
# What a clean process runs: the programs one after the other, each in its folder.
RUNNER = """
import os, sys
if "alone" in sys.argv:
    sys.modules["explorer"] = None  # any import of it fails
for folder in sys.argv[2:]:
    os.chdir(folder)
    exec(compile(open("code.py").read(), folder + "/code.py", "exec"), {"__name__": "__main__"})
"""


@pytest.fixture(scope="module")
def recorded(family_folder) -> Iterator:
    """Settings to a run of a small pipeline; its networks run as they are."""
    engines: dict[str, Engine] = {}

    def run(settings: RunSettings, family: str = "sd1") -> RecordedRun:
        if family not in engines:
            model = family if family == "bundled" else family_folder(family)
            engines[family] = Engine(model, "cpu")
        return RecordedRun.of(engines[family].run(settings))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("explorer.runtime.traced._trace", lambda module, inputs: None)
        yield run


def assert_programs_make(pictures: dict[Path, np.ndarray], is_alone: bool):
    """Each folder's program, run in a clean process, saves these pictures."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    environment["PYTHONPATH"] = "" if is_alone else str(ROOT)
    done = ran(RUNNER, "alone" if is_alone else "ours", *pictures, environment=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    for folder, wanted in pictures.items():
        for number, picture in enumerate(wanted):
            found = np.asarray(Image.open(folder / f"picture-{number}.png"))
            assert found.shape == picture.shape
            assert np.abs(found.astype(int) - picture).max() <= 1, folder.name


def written(run: RecordedRun, folder: Path, model: Path) -> list[tuple[Path, int]]:
    """A folder for each lane with its program, beside what the program names."""
    made = []
    for lane in range(len(run)):
        place = folder / str(lane)
        place.mkdir(parents=True)
        (place / "code.py").write_text(python_code(run, lane).text)
        (place / model.name).symlink_to(model)
        made.append((place, lane))
    return made


def test_what_diffusers_can_express_runs_on_diffusers_alone(recorded, family_folder, tmp_path):
    run = recorded(replace(RUN, lanes=tuple(ALONE.values())))
    apart = [np.abs(run[0].images.astype(int) - each.images).max() for each in run][1:]
    assert min(apart) > 1  # each lane has a picture of its own
    for lane, name in enumerate(ALONE):
        code = python_code(run, lane)
        assert code.missing == (), name
        assert "explorer" not in code.text.replace("Sampler Explorer", "")
        assert "Karras" in code.text if name.endswith("_karras") else "Karras" not in code.text
    more = {
        "batch": (replace(RUN, batch_size=2, lanes=(ALONE["dpm2_a"],), cfg_scale=1), "sd1"),
        "rescaled": (replace(RUN, cfg_rescale=0.7, width=64, height=80), "sd1"),
        "picture": (
            replace(
                RUN,
                init_image=start_picture(),
                strength=0.7,
                batch_size=2,
                lanes=tuple(ALONE.values()),
            ),
            "sd1",
        ),
        "bundled": (replace(RUN, steps=4, cfg_scale=3), "bundled"),
        "xl": (replace(RUN, negative_prompt=""), "sdxl"),
        "v": (replace(RUN, lanes=(LaneSettings(prediction_type="v_prediction"),)), "sd2"),
    }
    pictures = {}
    for place, lane in written(run, tmp_path / "lanes", family_folder("sd1")):
        pictures[place] = run[lane].images
    for name, (settings, family) in more.items():
        other = recorded(settings, family)
        assert [python_code(other, lane).missing for lane in range(len(other))] == [()] * len(other)
        model = ROOT / "assets" if family == "bundled" else family_folder(family)
        for place, lane in written(other, tmp_path / name, model):
            pictures[place] = other[lane].images
            picture_file(other, place)
    assert_programs_make(pictures, is_alone=True)


def picture_file(run: RecordedRun, folder: Path):
    """The start picture, as the run's .zip has it."""
    run.save(folder / "run")
    for file in (folder / "run").glob("start_picture.*"):
        file.rename(folder / file.name)


def test_what_it_cannot_express_is_said_and_runs_with_our_schedulers(
    recorded, family_folder, tmp_path
):
    run = recorded(replace(RUN, lanes=tuple(OURS.values())))
    said = [python_code(run, lane).missing for lane in range(len(run))]
    assert [len(each) for each in said] == [2, 2, 1, 3]
    assert said[0][0] == (
        "Eta 0.5: diffusers' KDPM2AncestralDiscreteScheduler has no such argument."
    )
    assert said[2][0] == "Custom sigmas: diffusers' KDPM2DiscreteScheduler takes no list of sigmas."
    assert "Polyexponential" in said[3][0]
    for lane, sentences in enumerate(said):
        lines = python_code(run, lane).text.splitlines()
        assert all(f"# - {each}" in lines for each in sentences)
        assert any(line.startswith("from explorer.sampling.schedulers import") for line in lines)
    listed = replace(RUN, init_image=start_picture(), lanes=(OURS["listed"],), cfg_rescale=0.4)
    other = recorded(listed)  # no pipeline's call makes it
    assert len(python_code(other, 0).missing) == 2
    pictures = {}
    for name, each in {"lanes": run, "listed": other}.items():
        for place, lane in written(each, tmp_path / name, family_folder("sd1")):
            pictures[place] = each[lane].images
            picture_file(each, place)
    assert_programs_make(pictures, is_alone=False)


# --- without running anything --------------------------------------------------------------------


def missing(**lane) -> tuple[str, ...]:
    return python_code(made_run(made_settings(lanes=(LaneSettings(**lane),))), 0).missing


def test_settings_without_effect_are_not_missed():
    assert missing(rho=3, eta=0.4, s_noise=1.02) == ()
    assert missing(sampler="euler", rho=3) == ()
    assert missing(schedule_type="karras", rho=7) == ()


def test_where_diffusers_class_departs_from_its_documentation_it_is_said():
    """faults that schedulers.md lists: the class runs, and is not the lane."""
    (said,) = missing(beta_schedule="squaredcos_cap_v2", sampler="dpm2_a")
    assert said.startswith("These settings: diffusers' KDPM2AncestralDiscreteScheduler ")
    (zero,) = missing(rescale_betas_zero_snr=True)
    assert zero.startswith("Rescale betas (zero terminal SNR) True: ")


def test_a_hostile_prompt_stays_text():
    for prompt in ('"]\nimport os #', "'''", "\\", "a\u2028b \U0001f6a2", "{0}", '"""'):
        run = made_run(made_settings(prompt=prompt, negative_prompt=prompt))
        for lane in range(2):
            text = python_code(run, lane).text
            values: dict = {}
            source = text[text.index("[", text.index("prompt=")) :].partition("] * 2")[0] + "]"
            exec(compile(f"value = {source}", "code", "exec"), values)
            assert values["value"] == [prompt]
            assert text.isascii()
    text = python_code(made_run(made_settings(refiner="x'\n__import__('os')", steps=9)), 0).text
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    assert "__import__" in text
    assert "__import__" not in [ast.unparse(call.func) for call in calls]


def test_a_large_picture_is_decoded_in_tiles_as_the_run_did():
    settings = made_settings(width=1536, height=1024)
    lanes = [replace(made_trajectory(settings, at), images=None, final=None) for at in range(2)]
    assert "\npipe.vae.enable_tiling()\n" in python_code(RecordedRun.of(lanes), 0).text
    assert "enable_tiling" not in python_code(made_run(), 0).text


def test_no_path_of_the_server_is_told():
    run = made_run(model="/srv/secret/models/my model")
    assert "secret" not in python_code(run, 0).text
    assert 'MODEL = "my model"' in python_code(run, 0).text
    assert 'MODEL = "a/b"' in python_code(made_run(model="a/b"), 0).text
    assert "from_single_file(MODEL" in python_code(made_run(model="mine.safetensors"), 0).text
    assert 'MODEL = "assets/scenes"' in python_code(made_run(model="bundled"), 0).text
