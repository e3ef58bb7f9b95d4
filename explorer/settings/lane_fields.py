"""The fields of a lane: every argument of its scheduler, with the metadata that a form needs."""

from dataclasses import dataclass

from explorer.sampling.betas import BETA_SCHEDULES
from explorer.sampling.samplers import OURS, SAMPLERS, taking
from explorer.sampling.schedule_types import SCHEDULE_TYPES
from explorer.sampling.schedules import PREDICTION_TYPES, TIMESTEP_SPACINGS
from explorer.settings import checks
from explorer.settings.argument_fields import AUTO, argument, same
from explorer.settings.fields import Checked, setting

LARGEST_SIGMA = 1e6  # that anybody would type
CONTINUOUS = tuple(key for key, kind in SCHEDULE_TYPES.items() if kind.continuous)
ANCESTRAL = tuple(key for key in OURS if SAMPLERS[key].eta)
WITH_ZERO_SNR = taking("rescale_betas_zero_snr")


@dataclass(frozen=True, kw_only=True)
class LaneFields(Checked):
    """A sampler and every scheduler argument; defaults are Stable Diffusion's.

    A field's metadata has its `group`; in `when` the values that other fields must have for it to
    matter; in `stands_for` the scheduler's argument for values that are written differently here;
    in `auto`, by sampler, the meaning of its value "auto" where that differs; in `elsewhere` its
    name in other programs. Raises SettingsError (a ValueError) for a value out of range.
    """

    sampler: str = setting(
        "dpm2",
        "Sampler",
        checks.sampler,
        "The solver. Diffusers calls it the scheduler.",
        choices=[(sampler.label, key) for key, sampler in SAMPLERS.items()],
        elsewhere={"ComfyUI": "sampler_name"},
        group="sampler",
    )
    schedule_type: str = setting(
        "automatic",
        "Schedule type",
        checks.choice(SCHEDULE_TYPES),
        "The spacing of the sigmas; Automatic keeps the training spacing.",
        choices=[(kind.label, key) for key, kind in SCHEDULE_TYPES.items()],
        elsewhere={
            "ComfyUI": "scheduler",
            "diffusers": "use_karras_sigmas, use_exponential_sigmas or use_beta_sigmas",
        },
        group="schedule",
    )
    rho: float = argument(
        "rho",
        "Rho",
        "0 is the type's default: 7 for Karras, 1 for Polyexponential.",
        elsewhere={"A1111": "Schedule rho"},
        group="schedule",
        zero="the type's default",
        when={"schedule_type": ("karras", "polyexponential")},
    )
    alpha: float = argument(
        "alpha",
        "Alpha",
        "Of the beta distribution: smaller gives more steps to high sigmas.",
        group="schedule",
        when={"schedule_type": ("beta",)},
    )
    beta: float = argument(
        "beta",
        "Beta",
        "Of the beta distribution: smaller gives more steps to low sigmas.",
        group="schedule",
        when={"schedule_type": ("beta",)},
    )
    align_your_steps_table: str = argument(
        "align_your_steps_table",
        "Steps for",
        "The model that the ten sigmas were found for (Sabour et al. 2024).",
        group="schedule",
        choices=[("SD 1.5", "sd15"), ("SDXL", "sdxl")],
        sentence_label="Steps for (Align Your Steps)",
        when={"schedule_type": ("align_your_steps",)},
    )
    sigma_min: float = argument(
        "sigma_min",
        "Sigma min",
        "Where the schedule's curve ends; 0 means at the training's lowest sigma.",
        elsewhere={"A1111": "Schedule min sigma"},
        group="schedule",
        most=LARGEST_SIGMA,
        zero="the table's end",
        when={"schedule_type": CONTINUOUS},
    )
    sigma_max: float = argument(
        "sigma_max",
        "Sigma max",
        "Where the schedule's curve begins; 0 means at the training's highest sigma.",
        elsewhere={"A1111": "Schedule max sigma"},
        group="schedule",
        most=LARGEST_SIGMA,
        zero="the table's end",
        when={"schedule_type": CONTINUOUS},
    )
    sigmas: tuple[float, ...] | None = setting(
        None,
        "Custom sigmas",
        checks.sigmas,
        "Decreasing, in place of schedule type and steps; the final 0 is implied.",
        elsewhere={"ComfyUI": "SIGMAS"},
        group="schedule",
    )
    discard_penultimate_sigma: bool = argument(
        "discard_penultimate_sigma",
        "Discard penultimate sigma",
        "Leave out the last sigma before 0 and make one more, as A1111 and ComfyUI do here.",
        elsewhere={"A1111": "Always discard next-to-last sigma"},
        group="schedule",
    )
    final_sigmas_type: str = argument(
        "final_sigmas_type",
        "Final sigma",
        "Where the last step ends: at 0, or at the smallest sigma.",
        group="schedule",
    )
    timestep_spacing: str = setting(
        AUTO,
        "Timestep spacing",
        checks.choice((AUTO, *TIMESTEP_SPACINGS)),
        "Which training timesteps are visited (Lin et al. 2023, table 2); auto is linspace, and "
        "leading for DDIM.",
        choices=same((AUTO, *TIMESTEP_SPACINGS)),
        group="schedule",
        auto={key: sampler.spacing for key, sampler in SAMPLERS.items()},
    )
    steps_offset: int = argument(
        "steps_offset",
        "Steps offset",
        "Added to the timesteps; only with the spacing leading.",
        group="schedule",
        most=999,
        when={"timestep_spacing": ("leading",)},
    )
    interpolation_type: str = argument(
        "interpolation_type",
        "Interpolation",
        "How sigmas between training timesteps are computed; auto is the schedule type's default.",
        group="schedule",
    )
    round_timesteps: str = argument(
        "round_timesteps",
        "Round timesteps",
        "Whether the model is called at whole timesteps; auto does so for Karras, as diffusers.",
        group="schedule",
    )
    eta: float = argument(
        "eta",
        "Eta",
        "How much of each step's noise is fresh; 0 makes DPM2 a the same as DPM2.",
        group="noise",
        default=1.0,
        when={"sampler": ANCESTRAL},
    )
    s_noise: float = argument(
        "s_noise",
        "Sigma noise",
        "Multiplies all added noise.",
        group="noise",
    )
    s_churn: float = argument(
        "s_churn",
        "Sigma churn",
        "Noise added before each step, divided among the steps (Karras et al. 2022).",
        group="noise",
    )
    s_tmin: float = argument(
        "s_tmin",
        "Sigma tmin",
        "No churn below this sigma.",
        group="noise",
        most=LARGEST_SIGMA,
    )
    s_tmax: float = argument(
        "s_tmax",
        "Sigma tmax",
        "No churn above this sigma; 0 means no limit.",
        group="noise",
        most=LARGEST_SIGMA,
    )
    midpoint_ratio: float = argument(
        "midpoint_ratio",
        "Midpoint ratio",
        "Where in a step, in log sigma, the second call is.",
        elsewhere={"DPM-Solver-2": "r"},
        group="noise",
    )
    prediction_type: str = setting(
        "epsilon",
        "Prediction type",
        checks.choice(PREDICTION_TYPES),
        "What the network was trained to predict: noise, v, or the clean sample.",
        choices=same(PREDICTION_TYPES),
        group="training",
    )
    beta_schedule: str = setting(
        "scaled_linear",
        "Beta schedule",
        checks.choice(BETA_SCHEDULES),
        "How the noise variances of training grow from start to end.",
        choices=same(BETA_SCHEDULES),
        group="training",
    )
    beta_start: float = setting(
        0.00085,
        "Beta start",
        checks.real(0, 1, inside=True),
        "First training beta.",
        group="training",
        when={"beta_schedule": ("linear", "scaled_linear")},
    )
    beta_end: float = setting(
        0.012,
        "Beta end",
        checks.real(0, 1, inside=True),
        "Last training beta.",
        group="training",
        when={"beta_schedule": ("linear", "scaled_linear")},
    )
    trained_betas: tuple[float, ...] | None = setting(
        None,
        "Trained betas",
        checks.betas,
        "Replaces beta schedule, start and end.",
        group="training",
    )
    num_train_timesteps: int = setting(
        1000,
        "Train timesteps",
        checks.whole(2, 10_000),
        "Length of the training schedule.",
        group="training",
    )
    rescale_betas_zero_snr: bool = setting(
        False,
        "Rescale betas (zero terminal SNR)",
        checks.flag,
        "For models trained to start from pure noise, such as some SD 2.x ones.",
        group="training",
        sentence_label="Rescale betas",
        when={"sampler": WITH_ZERO_SNR},
    )
