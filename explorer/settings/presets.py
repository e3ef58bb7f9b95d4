"""Presets: the settings of other programs and papers, for lanes of the two samplers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from explorer.settings.lane_fields import LaneFields

# A1111 and ComfyUI take the sigmas from the training table by logarithm, from its first to its last
# timestep, tell the model fractional timesteps, and for DPM2 and DPM2 a build one step more and
# leave the penultimate sigma out. (ComfyUI's first latent is sqrt(sigma^2 + 1) wide where ours and
# A1111's is sigma: 0.2 % at Stable Diffusion's sigma_max. Noise differs with each program's RNG.)
AS_A1111 = {
    "timestep_spacing": "linspace",
    "interpolation_type": "log_linear",
    "round_timesteps": False,
    "discard_penultimate_sigma": True,
    "final_sigmas_type": "zero",
    "midpoint_ratio": 0.5,
}

# ComfyUI's kl_optimal ends at sigma_min, which leaving the penultimate sigma out takes away again:
# the list that is ours from the start. A1111's ends at sigma_min and not at 0, by two calls.
KL_OPTIMAL_AS_COMFYUI = {"discard_penultimate_sigma": False}


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Settings under a name: `run` are fields of RunSettings, `lane` of each lane.

    `text` says in a sentence what it does, `source` where it comes from. What it does not name
    stays as it is: the prompt, the seed, and what the model was trained with.
    """

    key: str
    label: str
    text: str
    source: str
    run: Mapping[str, Any] = field(default_factory=dict)
    lane: Mapping[str, Any] = field(default_factory=dict)


# A lane's schedule and noise as diffusers' two classes have them by default.
PLAIN = {
    spec.name: spec.default
    for spec in fields(LaneFields)
    if spec.metadata["group"] in ("schedule", "noise")
}
# A lane's fields that make it run as A1111 and ComfyUI do.
OF_A1111 = PLAIN | AS_A1111 | {"round_timesteps": "off", "timestep_spacing": "auto"}

PRESETS = (
    Preset(
        key="diffusers",
        label="diffusers",
        text="The schedule of the training, timesteps by linspace, as KDPM2DiscreteScheduler and "
        "its ancestral relative have it by default.",
        source="diffusers 0.42",
        lane=PLAIN,
    ),
    Preset(
        key="a1111",
        label="A1111 and ComfyUI",
        text="DPM2 and DPM2 a as these run them: one sigma more is made and the last before 0 "
        "left out.",
        source="k-diffusion under A1111 (schedule type Uniform) and ComfyUI (scheduler normal)",
        lane=OF_A1111,
    ),
    Preset(
        key="a1111_karras",
        label="A1111 and ComfyUI, Karras",
        text="DPM2 Karras and DPM2 a Karras as these run them, the last sigma before 0 left out.",
        source="A1111 (DPM2 Karras), ComfyUI (dpm_2 with karras); Karras et al. 2022",
        lane=OF_A1111 | {"schedule_type": "karras"},
    ),
    Preset(
        key="beta57",
        label="beta57",
        text="Beta quantiles with alpha 0.5 and beta 0.7, here of sigma as in diffusers, where "
        "ComfyUI takes those of the timestep.",
        source="RES4LYF's scheduler beta57 for ComfyUI; Lee et al. 2024",
        lane=PLAIN | {"schedule_type": "beta", "alpha": 0.5, "beta": 0.7},
    ),
    Preset(
        key="few_steps",
        label="Few steps",
        text="8 steps, 15 model calls; without the last sigma before 0 the ancestral sampler ends "
        "much nearer to the data.",
        source="measured on data with a known denoiser (explorer/lab)",
        run={"steps": 8},
        lane=PLAIN | {"discard_penultimate_sigma": True},
    ),
    Preset(
        key="zero_snr",
        label="Zero terminal SNR",
        text="Betas rescaled so that the run begins at pure noise, trailing timesteps, CFG rescale "
        "0.7; for models that predict v.",
        source="Lin et al. 2023, Common Diffusion Noise Schedules and Sample Steps Are Flawed",
        run={"cfg_rescale": 0.7},
        lane=PLAIN | {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"},
    ),
    Preset(
        key="eta_0",
        label="Eta 0",
        text="No fresh noise: DPM2 a becomes DPM2, and everything else stays as it is.",
        source="k-diffusion's eta",
        lane={"eta": 0.0},
    ),
    Preset(
        key="align_your_steps",
        label="Align Your Steps, SD 1.5",
        text="10 steps at the sigmas found best for SD 1.5, the last of them replaced by 0.",
        source="Sabour et al. 2024, table of SD 1.5; ComfyUI's AlignYourStepsScheduler",
        run={"steps": 10},
        lane=PLAIN | {"schedule_type": "align_your_steps", "discard_penultimate_sigma": True},
    ),
    Preset(
        key="align_your_steps_sdxl",
        label="Align Your Steps, SDXL",
        text="10 steps at the sigmas found best for SDXL, the last of them replaced by 0.",
        source="Sabour et al. 2024, table of SDXL; ComfyUI's AlignYourStepsScheduler",
        run={"steps": 10},
        lane=PLAIN
        | {
            "schedule_type": "align_your_steps",
            "align_your_steps_table": "sdxl",
            "discard_penultimate_sigma": True,
        },
    ),
)
