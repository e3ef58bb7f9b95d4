"""What the doctor's findings do to pictures: `python -m benchmarks.findings`.

For each code that predicts how a picture will look, the bundled model draws pictures of held-out
prompts with settings that have the finding and with settings that have not, from the same noise.
Prints a Markdown table: the rms difference of the two (of 255), and of each the noise (Immerkaer's
estimate, of 255), how much of the prompt the classifier finds, and how far the pictures' mean
brightnesses lie apart. docs/doctor.md holds it.
"""

import argparse
from dataclasses import replace

import numpy as np
import torch

from benchmarks.quality import held_out_scenes
from explorer.doctor.examine import examine
from explorer.engine import BUNDLED, Engine
from explorer.settings import LaneSettings
from explorer.training.classifier import SceneClassifier

KARRAS = {"schedule_type": "karras"}
ANCESTRAL = {"sampler": "dpm2_a"}
ZERO_SNR = {"rescale_betas_zero_snr": True}
# code, steps, settings that have the finding, settings that have not
CASES = (
    ("prediction_differs", 20, {"prediction_type": "v_prediction"}, {}),
    ("prediction_differs", 20, {"prediction_type": "sample"}, {}),
    ("betas_differ", 20, {"beta_end": 0.02}, {}),
    ("betas_differ", 20, {"beta_schedule": "linear"}, {}),
    ("timesteps_differ", 20, {"num_train_timesteps": 500}, {}),
    ("zero_snr_differs", 20, ZERO_SNR, {}),
    ("zero_snr_unreached", 20, ZERO_SNR | {"timestep_spacing": "leading"}, {}),
    ("terminal_snr", 20, {}, ZERO_SNR),
    ("range_shrunk", 10, KARRAS | {"timestep_spacing": "leading"}, KARRAS),
    ("range_shrunk", 20, {"timestep_spacing": "leading"}, {}),
    ("low_end_raised", 20, KARRAS | {"sigma_min": 0.2}, KARRAS),
    ("outside_training", 20, KARRAS | {"sigma_max": 80.0}, KARRAS),
    ("outside_training", 20, KARRAS | {"sigma_min": 0.002}, KARRAS),
    ("noise_left", 20, {"final_sigmas_type": "sigma_min"}, {}),
    ("last_step", 10, ANCESTRAL, ANCESTRAL | {"discard_penultimate_sigma": True}),
    ("last_step", 20, {}, {"discard_penultimate_sigma": True}),
    ("wide_step", 20, {"sigmas": (14.0, 10.0, 8.0, 0.5, 0.4, 0.3)}, {}),
    ("duplicate_timesteps", 50, KARRAS, KARRAS | {"round_timesteps": "off"}),
    ("rounded_timestep", 20, KARRAS, KARRAS | {"round_timesteps": "off"}),
    ("churn_above_training", 20, {"s_churn": 10.0}, {"s_churn": 10.0, "s_tmax": 9.0}),
    (
        "levels_reached",
        5,
        {"sampler": "ddim", "timestep_spacing": "linspace"},
        {"sampler": "ddim", "timestep_spacing": "trailing"},
    ),
    (
        "levels_reached",
        10,
        {"sampler": "ddim", "timestep_spacing": "linspace"},
        {"sampler": "ddim", "timestep_spacing": "trailing"},
    ),
    (
        "levels_reached",
        20,
        {"sampler": "ddim", "timestep_spacing": "linspace"},
        {"sampler": "ddim", "timestep_spacing": "trailing"},
    ),
)


def codes(lane: LaneSettings, steps: int, own: LaneSettings) -> set[str]:
    """What the doctor says of a lane."""
    return {
        finding.code for finding in examine(lane, lane.schedule(steps), steps, model_defaults=own)
    }


def noise_of(pictures: np.ndarray) -> float:
    """Standard deviation of the noise in pictures (B, H, W, 3; 0..255), Immerkaer 1996."""
    p = pictures.astype(np.float64)
    rows = p[:, :-2] - 2 * p[:, 1:-1] + p[:, 2:]
    both = rows[:, :, :-2] - 2 * rows[:, :, 1:-1] + rows[:, :, 2:]
    return float(np.sqrt(np.pi / 2) * np.abs(both).mean() / 6)


def drawn(engine: Engine, scenes: list, steps: int, lanes: tuple[LaneSettings, ...]) -> np.ndarray:
    """The lanes' pictures of each scene's caption: lanes x scenes x H x W x 3, 0..255."""
    base = engine.facts.defaults()
    rows = []
    for seed, scene in enumerate(scenes):
        run = replace(base, prompt=scene.caption, steps=steps, seed=seed, lanes=lanes)
        rows.append([each.images[0] for each in engine.run(run)])
    return np.array(rows).swapaxes(0, 1)


def row(engine: Engine, classifier: SceneClassifier, scenes: list, case: tuple) -> str:
    """One row of the table."""
    code, steps, having, lacking = case
    own = engine.facts.lane_defaults()[0]
    lanes = tuple(LaneSettings(**{"steps_offset": own.steps_offset} | s) for s in (having, lacking))
    assert code in codes(lanes[0], steps, own), code
    assert code not in codes(lanes[1], steps, own), code
    pictures = drawn(engine, scenes, steps, lanes)
    values = pictures.astype(np.float64)
    rms = np.sqrt(((values[0] - values[1]) ** 2).mean())
    cells = [f"{code}", _settings(having), _settings(lacking), str(steps), f"{rms:.1f}"]
    noise = [noise_of(each) for each in pictures]
    found = [_followed(classifier, each, scenes) for each in pictures]
    bright = [each.mean(axis=(1, 2, 3)).std() for each in values]
    cells += [f"{a:.1f} / {b:.1f}" for a, b in (noise, bright)]
    cells.insert(6, f"{found[0]:.0%} / {found[1]:.0%}")
    return f"| {' | '.join(cells)} |"


def _followed(classifier: SceneClassifier, pictures: np.ndarray, scenes: list) -> float:
    batch = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    return float(np.mean(list(classifier.accuracy(batch, scenes).values())))


def _settings(changed: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in changed.items()) or "defaults"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=12)
    parser.add_argument("--only", help="the rows of one code")
    args = parser.parse_args()
    engine = Engine()
    classifier = SceneClassifier.load(BUNDLED / "judge.safetensors", "cpu")
    scenes = held_out_scenes(args.prompts, seed=10_000)
    print("| finding | with | without | steps | rms | noise | prompt followed | brightness |")
    print("|---|---|---|---|---|---|---|---|")
    for case in CASES:
        if args.only in (None, case[0]):
            print(row(engine, classifier, scenes, case), flush=True)


if __name__ == "__main__":
    main()
