"""The benchmarks measure what they say, and say so where they cannot."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel

from benchmarks import findings, growth, lanes, limit, page
from benchmarks.compiled import compiled
from explorer.sampling.schedule_types import SCHEDULE_TYPES
from explorer.settings import LaneSettings

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_ratios_are_parts_of_the_bare_runs_of_their_round(kind):
    seconds = {
        "bare DPM2": 1.0,
        "bare DPM2 a": 3.0,
        "bare DPM2, hooked": 1.1,
        "two lanes recorded": 2.2,
        "two lanes, not recorded": 2.0,
        "two lanes, previews": 3.3,
        "two lanes, Inductor": 1.0,
        "eight lanes recorded": 4.0,
        "every frame decoded": 1.1,
        "every frame by the VAE": 4.4,
    }
    ours = {"cpu": 0.25, "cuda": 0.55}  # on a GPU the app's own kernels are compiled ones
    assert lanes.ratios(seconds, kind) == pytest.approx(
        {
            "two_lanes_recorded": 0.55,
            "two_lanes_compiled": ours[kind],
            "two_lanes_inductor": 0.25,
            "eight_lanes_recorded": 0.25,
            "recording_overhead": 0.1,
            "previews_overhead": 0.5,
            "hook_overhead": 0.1,
            "frames_share": 0.5,
            "full_frames_share": 2.0,
        }
    )


@pytest.mark.parametrize("command", [lanes, growth])
def test_what_cannot_be_measured_is_a_failure_and_writes_nothing(
    command, tmp_path, monkeypatch, capsys
):
    written = tmp_path / "figures.json"
    options = ["--json", str(written), "--model", str(tmp_path / "nowhere")]
    monkeypatch.setattr("sys.argv", [command.__name__, *options])
    assert command.main() == 1  # the program's exit status
    assert "could not be measured" in capsys.readouterr().err
    assert not written.exists()


def test_operations_are_those_of_products_and_convolutions():
    left, right = torch.randn(8, 16), torch.randn(16, 4)
    assert limit.operations(lambda: left @ right) == 2 * 8 * 16 * 4
    picture, kernel = torch.randn(1, 3, 10, 10), torch.randn(5, 3, 3, 3)
    convolved = limit.operations(lambda: torch.nn.functional.conv2d(picture, kernel))
    assert convolved == 2 * 8 * 8 * 5 * 3 * 9
    with pytest.raises(RuntimeError, match="no arithmetic"):
        limit.operations(lambda: left + 1)


def test_the_compiled_copy_shares_weights_and_answers_alike(tiny_pipeline_folder):
    unet = UNet2DConditionModel.from_pretrained(tiny_pipeline_folder / "unet").eval()
    generator = torch.Generator().manual_seed(0)
    inputs = (
        torch.randn(2, 4, 16, 16, generator=generator),
        torch.tensor([5.0, 900.0]),
        torch.randn(2, 5, 16, generator=generator),
    )
    copy = compiled(unet, backend="eager")
    with torch.no_grad():
        for _ in range(2):
            expected = unet(*inputs, return_dict=False)[0]
            torch.testing.assert_close(copy(*inputs, return_dict=False)[0], expected)
            next(unet.parameters()).add_(0.1)
    assert [each for each in unet.modules() if each._compiled_call_impl is not None] == []
    blocks = {type(each).__name__ for each in copy.modules() if each._compiled_call_impl}
    assert blocks == {"BasicTransformerBlock"}


def test_growth_is_measured_on_every_axis_and_told_as_tables(monkeypatch):
    ran = []

    class Runs:
        engine = None

        def run_lanes(self, engine, lanes, **settings):
            ran.append((lanes, settings))

        def seconds(self, work):
            work()
            return 0.5

    found = growth.points(Runs(), "cuda", repeats=2)
    assert [row["lanes"] for row in found["lanes"]] == list(growth.LANES)
    assert (16, {}) in ran
    assert (2, {"steps": 100}) in ran
    assert (2, {"width": 1024, "height": 1024}) in ran
    assert len(ran) == 3 * (len(growth.LANES) + len(growth.STEPS) + len(growth.SIZES["cuda"]))
    told = growth.table("steps", json.loads(json.dumps(found["steps"])))
    assert told.splitlines()[0] == "| steps | 5 | 10 | 20 | 50 | 100 |"
    assert told.splitlines()[2] == "| seconds | 0.50 | 0.50 | 0.50 | 0.50 | 0.50 |"


def test_the_page_is_timed_with_every_schedule_type(monkeypatch, capsys):
    monkeypatch.setattr(page, "REPEATS", 1)
    monkeypatch.setattr(page, "GOALS_MS", dict.fromkeys(page.GOALS_MS, 1e9))
    assert page.main() == 0
    told = capsys.readouterr().out
    assert all(f"\n{kind} " in f"\n{told}" for kind in SCHEDULE_TYPES)
    monkeypatch.setattr(page, "GOALS_MS", dict.fromkeys(page.GOALS_MS, 0.0))
    assert page.main() == 1


def test_every_pair_of_the_findings_benchmark_has_its_finding_and_lacks_it():
    own = LaneSettings(steps_offset=1)
    for code, steps, having, lacking in findings.CASES:
        lanes = [LaneSettings(**{"steps_offset": 1} | changed) for changed in (having, lacking)]
        assert code in findings.codes(lanes[0], steps, own), code
        assert code not in findings.codes(lanes[1], steps, own), code
        assert f"| {code} |" in (ROOT / "docs" / "doctor.md").read_text(), code
