"""The fields of a lane: every argument of its scheduler, with what a form must know of it."""

from dataclasses import dataclass

from explorer.sampling.betas import BETA_SCHEDULES, SMALLEST_SIGMA
from explorer.sampling.samplers import OURS, SAMPLERS, taking
from explorer.sampling.schedule_options import FINAL_SIGMAS, LARGEST, SMALLEST_RATIO, SMALLEST_RHO
from explorer.sampling.schedule_types import AYS_TABLES, SCHEDULE_TYPES
from explorer.sampling.schedules import PREDICTION_TYPES, TIMESTEP_SPACINGS
from explorer.sampling.spacings import INTERPOLATIONS
from explorer.settings import checks
from explorer.settings.fields import Checked, setting

AUTO = "auto"
SWITCHES = {AUTO: None, "off": False, "on": True}  # where a scheduler says None, True or False
CONTINUOUS = tuple(key for key, kind in SCHEDULE_TYPES.items() if kind.continuous)
ANCESTRAL = tuple(key for key in OURS if SAMPLERS[key].eta)
WITH_ENDS = taking("sigma_min")
WITH_ZERO_SNR = taking("rescale_betas_zero_snr")


def _same(choices) -> list[tuple[str, str]]:
    return [(key, key) for key in choices]


@dataclass(frozen=True, kw_only=True)
class LaneFields(Checked):
    """A sampler and every scheduler argument; defaults are Stable Diffusion's.

    A field's metadata names its `group`, in `when` the values that other fields must have for it to
    matter, and in `auto`, by sampler, what its value "auto" stands for where that differs. Raises
    SettingsError (a ValueError) for a value out of range.
    """

    sampler: str = setting(
        "dpm2",
        "Sampler",
        checks.sampler,
        "The solver. Diffusers calls it the scheduler.",
        choices=[(sampler.label, key) for key, sampler in SAMPLERS.items()],
        group="sampler",
    )
    schedule_type: str = setting(
        "automatic",
        "Schedule type",
        checks.choice(SCHEDULE_TYPES),
        "The spacing of the sigmas (ComfyUI: scheduler); Automatic keeps the training spacing.",
        choices=[(kind.label, key) for key, kind in SCHEDULE_TYPES.items()],
        group="schedule",
    )
    rho: float = setting(
        0.0,
        "Rho",
        checks.zero_or(SMALLEST_RHO, LARGEST, "the type's default"),
        "0 is the type's default: 7 for Karras, 1 for Polyexponential.",
        group="schedule",
        when={"sampler": OURS, "schedule_type": ("karras", "polyexponential")},
    )
    alpha: float = setting(
        0.6,
        "Alpha",
        checks.real(0, LARGEST, above=True),
        "Of the beta distribution: smaller gives more steps to high sigmas.",
        group="schedule",
        when={"sampler": OURS, "schedule_type": ("beta",)},
    )
    beta: float = setting(
        0.6,
        "Beta",
        checks.real(0, LARGEST, above=True),
        "Of the beta distribution: smaller gives more steps to low sigmas.",
        group="schedule",
        when={"sampler": OURS, "schedule_type": ("beta",)},
    )
    align_your_steps_table: str = setting(
        "sd15",
        "Steps for",
        checks.choice(AYS_TABLES),
        "The model that the ten sigmas were found for (Sabour et al. 2024).",
        choices=[("SD 1.5", "sd15"), ("SDXL", "sdxl")],
        group="schedule",
        when={"sampler": OURS, "schedule_type": ("align_your_steps",)},
    )
    sigma_min: float = setting(
        0.0,
        "Sigma min",
        checks.zero_or(SMALLEST_SIGMA, LARGEST**2, "the table's end"),
        "Where the schedule's curve ends; 0 is the training table's end.",
        group="schedule",
        when={"sampler": WITH_ENDS, "schedule_type": CONTINUOUS},
    )
    sigma_max: float = setting(
        0.0,
        "Sigma max",
        checks.zero_or(SMALLEST_SIGMA, LARGEST**2, "the table's end"),
        "Where the schedule's curve begins; 0 is the training table's end.",
        group="schedule",
        when={"sampler": WITH_ENDS, "schedule_type": CONTINUOUS},
    )
    sigmas: tuple[float, ...] | None = setting(
        None,
        "Edit sigmas",
        checks.sigmas,
        "Custom sigmas, decreasing, in place of schedule type and steps; the final 0 is implied.",
        group="schedule",
    )
    discard_penultimate_sigma: bool = setting(
        False,
        "Discard penultimate sigma",
        checks.flag,
        "One sigma more is made and the last but 0 left out, as A1111 and ComfyUI do here.",
        group="schedule",
        when={"sampler": OURS},
    )
    final_sigmas_type: str = setting(
        "zero",
        "Final sigma",
        checks.choice(FINAL_SIGMAS),
        "Where the last step ends: at 0, or at the smallest sigma.",
        choices=_same(FINAL_SIGMAS),
        group="schedule",
        when={"sampler": OURS},
    )
    timestep_spacing: str = setting(
        AUTO,
        "Timestep spacing",
        checks.choice((AUTO, *TIMESTEP_SPACINGS)),
        "Which training timesteps are visited (Lin et al. 2023, table 2); auto is linspace, and "
        "leading for DDIM.",
        choices=_same((AUTO, *TIMESTEP_SPACINGS)),
        group="schedule",
        auto={key: sampler.spacing for key, sampler in SAMPLERS.items()},
    )
    steps_offset: int = setting(
        0,
        "Steps offset",
        checks.whole(0, 999),
        "Added to the timesteps; acts under leading only.",
        group="schedule",
        when={"timestep_spacing": ("leading",)},
    )
    interpolation_type: str = setting(
        AUTO,
        "Interpolation",
        checks.choice((AUTO, *INTERPOLATIONS)),
        "How a sigma is read between two training timesteps; auto is the schedule type's default.",
        choices=_same((AUTO, *INTERPOLATIONS)),
        group="schedule",
        when={"sampler": OURS},
    )
    round_timesteps: str = setting(
        AUTO,
        "Round timesteps",
        checks.choice(SWITCHES),
        "Whether the model is called at whole timesteps; auto does so for Karras, as diffusers.",
        choices=_same(SWITCHES),
        group="schedule",
        when={"sampler": OURS},
    )
    eta: float = setting(
        1.0,
        "Eta",
        checks.real(0, 1),
        "How much of each step's noise is fresh; 0 makes DPM2 a the same as DPM2.",
        group="noise",
        when={"sampler": ANCESTRAL},
    )
    s_noise: float = setting(
        1.0,
        "Sigma noise",
        checks.real(0, LARGEST),
        "Multiplies all added noise.",
        group="noise",
        when={"sampler": OURS},
    )
    s_churn: float = setting(
        0.0,
        "Sigma churn",
        checks.real(0, LARGEST),
        "Noise added before each step, divided among the steps (Karras et al. 2022).",
        group="noise",
        when={"sampler": OURS},
    )
    s_tmin: float = setting(
        0.0,
        "Sigma tmin",
        checks.real(0, LARGEST**2),
        "No churn below this sigma.",
        group="noise",
        when={"sampler": OURS},
    )
    s_tmax: float = setting(
        0.0,
        "Sigma tmax",
        checks.real(0, LARGEST**2),
        "No churn above this sigma; 0 is no limit.",
        group="noise",
        when={"sampler": OURS},
    )
    midpoint_ratio: float = setting(
        0.5,
        "Midpoint ratio",
        checks.real(SMALLEST_RATIO, 1),
        "Where in log sigma the second call stands (DPM-Solver-2's r).",
        group="noise",
        when={"sampler": OURS},
    )
    prediction_type: str = setting(
        "epsilon",
        "Prediction type",
        checks.choice(PREDICTION_TYPES),
        "What the network was trained to predict: noise, v, or the clean sample.",
        choices=_same(PREDICTION_TYPES),
        group="training",
    )
    beta_schedule: str = setting(
        "scaled_linear",
        "Beta schedule",
        checks.choice(BETA_SCHEDULES),
        "How the noise variances of training grow from start to end.",
        choices=_same(BETA_SCHEDULES),
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
        when={"sampler": WITH_ZERO_SNR},
    )
