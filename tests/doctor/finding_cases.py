"""Settings of which the doctor has something to say, and such of which it has not."""

from dataclasses import replace
from typing import Any

from explorer.doctor.examine import Finding, examine
from explorer.settings import LaneSettings

OWN = LaneSettings()  # of a model that is trained as Stable Diffusion is


def examined(lane: LaneSettings, steps: int = 20, **more: Any) -> list[Finding]:
    schedule, problem = None, ""
    try:
        schedule = lane.schedule(steps)
    except ValueError as error:
        problem = str(error)
    return examine(lane, schedule, steps, **{"model_defaults": OWN, "problem": problem} | more)


def find(findings: list[Finding], code: str) -> Finding | None:
    return next((finding for finding in findings if finding.code == code), None)


def mended(lane: LaneSettings, steps: int, finding: Finding) -> tuple[LaneSettings, int]:
    """The lane and the steps after the finding's fix."""
    values = dict(finding.fix)
    steps = values.pop("steps", steps)
    return replace(lane, **values), steps


KARRAS = {"schedule_type": "karras"}
A = {"sampler": "dpm2_a"}
ZERO_SNR = {"rescale_betas_zero_snr": True}
DDIM = {"sampler": "ddim"}
DDIM_LINSPACE = DDIM | {"timestep_spacing": "linspace"}
EULER = {"sampler": "euler"}
DPMPP_2M = {"sampler": "dpmpp_2m"}
COSINE = {"beta_schedule": "squaredcos_cap_v2"}
LIST = {"sigmas": (14.0, 5.0, 1.0, 0.1)}

# code, its severity, steps and settings that have it, steps and settings that have not
CASES = [
    ("levels_reached", "warning", 10, DDIM_LINSPACE, 10, DDIM),
    ("levels_reached", "warning", 20, DDIM_LINSPACE, 20, DDIM | {"timestep_spacing": "trailing"}),
    (
        "levels_reached",
        "note",
        75,
        DDIM | {"timestep_spacing": "trailing"},
        75,
        {"timestep_spacing": "trailing"},
    ),
    ("levels_reached", "warning", 10, DDIM_LINSPACE, 10, EULER),
    (
        "narrow_step",
        "warning",
        20,
        {"sigmas": (14.0, 5.0, 1.48073, 1.48058, 0.5, 0.1)},
        20,
        {"sigmas": (14.0, 5.0, 1.5, 1.2, 0.5, 0.1)},
    ),
    ("narrow_step", "warning", 20, EULER | {"sigmas": (14.0, 5.0, 4.9999, 0.5, 0.1)}, 1000, {}),
    ("wide_step", "note", 10, EULER, 20, EULER),
    ("duplicate_timesteps", "warning", 50, DPMPP_2M | KARRAS, 50, EULER | KARRAS),
    ("rounded_timestep", "warning", 50, DPMPP_2M | KARRAS, 10, DPMPP_2M | KARRAS),
    (
        "range_shrunk",
        "warning",
        10,
        EULER | KARRAS | {"timestep_spacing": "leading"},
        10,
        EULER | KARRAS,
    ),
    ("range_shrunk", "note", 20, DDIM, 20, DDIM_LINSPACE),
    ("outside_training", "warning", 20, EULER | KARRAS | {"sigma_max": 80.0}, 20, EULER | KARRAS),
    ("terminal_snr", "note", 20, EULER, 20, EULER | ZERO_SNR),
    ("zero_snr_spacing", "note", 20, EULER | ZERO_SNR, 20, DDIM | ZERO_SNR),
    ("zero_snr_unreached", "warning", 20, DDIM | ZERO_SNR, 20, EULER | ZERO_SNR),
    ("infinite_sigma", "error", 20, {"beta_end": 0.25}, 20, {"beta_end": 0.2}),
    (
        "infinite_sigma",
        "error",
        20,
        {"beta_schedule": "linear", "beta_end": 0.2},
        20,
        {"beta_schedule": "linear", "beta_end": 0.16},
    ),
    ("infinite_sigma", "error", 20, {"beta_start": 0.5, "beta_end": 0.6}, 20, {}),
    (
        "infinite_sigma",
        "error",
        5,
        {"trained_betas": (0.9,) * 99},
        5,
        {"trained_betas": (0.1,) * 9},
    ),
    ("steps_beyond_training", "error", 101, {"num_train_timesteps": 100}, 100, {}),
    (
        "steps_beyond_training",
        "error",
        100,
        {"num_train_timesteps": 100, "discard_penultimate_sigma": True},
        99,
        {"num_train_timesteps": 100, "discard_penultimate_sigma": True},
    ),
    ("no_schedule", "error", 20, KARRAS | {"sigma_min": 15.0}, 20, KARRAS | {"sigma_min": 1.0}),
    (
        "no_schedule",
        "error",
        4,
        LIST | {"final_sigmas_type": "sigma_min", "sigmas": (0.02,)},
        4,
        LIST,
    ),
    ("last_step", "note", 20, {}, 20, {"timestep_spacing": "trailing"}),
    ("last_step", "note", 10, {}, 50, {}),
    ("last_step", "warning", 10, A, 10, A | {"discard_penultimate_sigma": True}),
    ("last_step", "note", 20, {"schedule_type": "beta"}, 20, KARRAS),
    ("wide_step", "note", 10, COSINE | {"discard_penultimate_sigma": True}, 20, {}),
    ("wide_step", "note", 20, {"sigmas": (14.0, 10.0, 8.0, 0.5, 0.4, 0.3)}, 20, LIST),
    ("midpoint_is_next", "note", 20, A, 20, A | {"eta": 0.9}),
    ("midpoint_is_next", "note", 20, A, 20, A | {"midpoint_ratio": 0.4}),
    ("midpoint_is_next", "note", 20, A, 20, {}),
    ("duplicate_timesteps", "warning", 50, KARRAS, 30, KARRAS),
    ("duplicate_timesteps", "warning", 50, KARRAS, 50, KARRAS | {"round_timesteps": "off"}),
    ("rounded_timestep", "warning", 50, KARRAS, 10, KARRAS),
    ("rounded_timestep", "note", 20, KARRAS, 20, {"schedule_type": "exponential"}),
    ("range_shrunk", "warning", 10, KARRAS | {"timestep_spacing": "leading"}, 10, KARRAS),
    ("range_shrunk", "note", 20, {"timestep_spacing": "leading"}, 20, {}),
    ("range_shrunk", "warning", 20, KARRAS | {"sigma_max": 8.0}, 20, KARRAS | {"sigma_max": 14.0}),
    ("range_shrunk", "note", 20, {"sigmas": (8.0, 1.0)}, 20, LIST),
    ("low_end_raised", "note", 20, KARRAS | {"timestep_spacing": "trailing"}, 20, KARRAS),
    ("low_end_raised", "note", 20, KARRAS | {"sigma_min": 0.2}, 20, KARRAS | {"sigma_min": 0.04}),
    ("outside_training", "warning", 20, KARRAS | {"sigma_max": 80.0}, 20, KARRAS),
    ("outside_training", "warning", 20, KARRAS | {"sigma_min": 0.002}, 20, KARRAS),
    (
        "outside_training",
        "warning",
        20,
        {"sigmas": (80.0, 1.0)},
        20,
        {"schedule_type": "align_your_steps"},
    ),
    ("noise_left", "note", 20, {"final_sigmas_type": "sigma_min"}, 20, {}),
    (
        "churn_above_training",
        "warning",
        20,
        {"s_churn": 10.0},
        20,
        {"s_churn": 10.0, "s_tmax": 9.0},
    ),
    ("churn_above_training", "warning", 20, {"s_churn": 10.0, "s_tmin": 12.0}, 20, {}),
    ("zero_snr_unreached", "warning", 20, ZERO_SNR | {"timestep_spacing": "leading"}, 20, ZERO_SNR),
    (
        "zero_snr_unreached",
        "warning",
        20,
        ZERO_SNR | {"timestep_spacing": "leading"},
        20,
        ZERO_SNR | {"timestep_spacing": "trailing"},
    ),
    ("terminal_snr", "note", 20, {}, 20, ZERO_SNR),
    ("prediction_differs", "warning", 20, {"prediction_type": "v_prediction"}, 20, {}),
    ("prediction_differs", "error", 20, {"prediction_type": "sample"}, 20, {}),
    ("betas_differ", "warning", 20, {"beta_end": 0.02}, 20, {}),
    ("betas_differ", "warning", 20, COSINE, 20, {}),
    ("betas_differ", "warning", 4, {"trained_betas": (0.001, 0.01, 0.1, 0.2)}, 4, {}),
    ("timesteps_differ", "warning", 20, {"num_train_timesteps": 500}, 20, {}),
    ("zero_snr_differs", "warning", 20, ZERO_SNR, 20, {}),
    (
        "zero_snr_spacing",
        "note",
        20,
        ZERO_SNR,
        20,
        ZERO_SNR | {"timestep_spacing": "trailing"},
    ),
    ("own_steps", "note", 20, LIST, 4, LIST),
    (
        "no_effect",
        "note",
        20,
        {"steps_offset": 1},
        20,
        {"steps_offset": 1, "timestep_spacing": "leading"},
    ),
    ("no_effect", "note", 20, {"eta": 0.5}, 20, A | {"eta": 0.5}),
    ("no_effect", "note", 20, {"s_tmax": 3.0}, 20, {"s_tmax": 3.0, "s_churn": 5.0}),
    ("no_effect", "note", 20, {"s_noise": 0.9}, 20, A | {"s_noise": 0.9}),
    ("churn_window", "note", 20, {"s_churn": 5.0, "s_tmin": 20.0}, 20, {"s_churn": 5.0}),
    (
        "no_effect",
        "note",
        20,
        {"sigma_min": 1.0},
        20,
        {"sigma_min": 0.01, "final_sigmas_type": "sigma_min"},
    ),
    ("no_effect", "note", 20, {"round_timesteps": "off"}, 20, {"round_timesteps": "on"}),
    (
        "no_effect",
        "note",
        20,
        KARRAS | {"interpolation_type": "log_linear"},
        20,
        {"interpolation_type": "log_linear"},
    ),
    (
        "no_effect",
        "note",
        4,
        {"beta_end": 0.02, "trained_betas": (0.001, 0.01, 0.1, 0.2)},
        4,
        {"trained_betas": (0.001, 0.01, 0.1, 0.2)},
    ),
    ("no_effect", "note", 20, COSINE | {"beta_end": 0.02}, 20, COSINE),
    ("no_effect", "note", 4, LIST | {"schedule_type": "exponential"}, 4, LIST),
    ("no_effect", "note", 1, {"midpoint_ratio": 0.3}, 2, {"midpoint_ratio": 0.3}),
    (
        "no_effect",
        "note",
        20,
        {"schedule_type": "sgm_uniform", "timestep_spacing": "trailing"},
        20,
        {"timestep_spacing": "trailing"},
    ),
]
