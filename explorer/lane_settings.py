"""The settings of one lane: a sampler, and every argument of its scheduler."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

from explorer import baselines, checks
from explorer.checked import Checked, SettingsError, setting
from explorer.sampling.betas import BETA_SCHEDULES
from explorer.sampling.calls import CallTable
from explorer.sampling.knobs import FINAL_SIGMAS, LARGEST, SMALLEST_RHO
from explorer.sampling.presets import AS_A1111
from explorer.sampling.samplers import OURS, SAMPLERS, Sampler, split_name, taking
from explorer.sampling.schedule_types import AYS_TABLES, SCHEDULE_FLAGS, SCHEDULE_TYPES
from explorer.sampling.schedules import (
    BETA_KEYS,
    KNOB_KEYS,
    PREDICTION_TYPES,
    TIMESTEP_SPACINGS,
    Schedule,
    build,
)
from explorer.sampling.spacings import INTERPOLATIONS

AUTO = "auto"
# Where a scheduler says None, a setting says 0 (as A1111 does) or "auto".
ZERO_IS_NONE = ("rho", "sigma_min", "sigma_max", "s_tmax")
SWITCHES = {AUTO: None, "off": False, "on": True}
CONTINUOUS = tuple(key for key, kind in SCHEDULE_TYPES.items() if kind.continuous)
ANCESTRAL = tuple(key for key in OURS if SAMPLERS[key].eta)
WITH_ENDS = taking("sigma_min")
WITH_ZERO_SNR = taking("rescale_betas_zero_snr")
KEPT_TABLES = 256  # of baselines' calls: every redraw of a page asks for its lanes'


def _same(choices) -> list[tuple[str, str]]:
    return [(key, key) for key in choices]


@dataclass(frozen=True, kw_only=True)
class LaneSettings(Checked):
    """One lane: a sampler and every scheduler argument; defaults are Stable Diffusion's.

    A field's metadata names its `group`, and in `when` the values that other fields must have for
    it to matter. Raises SettingsError (a ValueError) for a value out of range.
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
        checks.zero_or(SMALLEST_RHO, LARGEST, "the type's own"),
        "0 is the type's own: 7 for Karras, 1 for Polyexponential.",
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
        checks.zero_or(0, LARGEST**2, "the table's end"),
        "Where the schedule's curve ends; 0 is the training table's end.",
        group="schedule",
        when={"sampler": WITH_ENDS, "schedule_type": CONTINUOUS},
    )
    sigma_max: float = setting(
        0.0,
        "Sigma max",
        checks.zero_or(0, LARGEST**2, "the table's end"),
        "Where the schedule's curve begins; 0 is the training table's end.",
        group="schedule",
        when={"sampler": WITH_ENDS, "schedule_type": CONTINUOUS},
    )
    sigmas: tuple[float, ...] | None = setting(
        None,
        "Edit sigmas",
        checks.sigmas,
        "An own list, decreasing, in place of schedule type and steps; the final 0 is implied.",
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
        "linspace",
        "Timestep spacing",
        checks.choice(TIMESTEP_SPACINGS),
        "Which training timesteps are visited (Lin et al. 2023, table 2).",
        choices=_same(TIMESTEP_SPACINGS),
        group="schedule",
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
        "How a sigma is read between two training timesteps; auto is the schedule type's own.",
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
        checks.real(0, 1, above=True),
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

    def __post_init__(self):
        self._take_type_from_name()
        super().__post_init__()
        baselines.check(self.solver, self.schedule_type, self.sigmas, self.prediction_type)
        if self.s_tmax and self.s_tmax < self.s_tmin:
            raise SettingsError(
                "s_tmax", f"Sigma tmax must be 0 or at least sigma tmin, {self.s_tmin:g}."
            )
        if self.sigma_max and self.sigma_min >= self.sigma_max:
            raise SettingsError(
                "sigma_min", f"Sigma min must lie below sigma max, {self.sigma_max:g}."
            )

    def _take_type_from_name(self) -> None:
        """ "DPM++ 2M Karras" is a sampler and a schedule type."""
        sampler, kind = split_name(str(self.sampler))
        if not kind:
            return
        if self.schedule_type not in ("automatic", kind):
            raise SettingsError(
                "schedule_type",
                f"Schedule type {self.schedule_type} contradicts the sampler's name, "
                f"{self.sampler!r}; leave one of them out.",
            )
        object.__setattr__(self, "sampler", sampler)
        object.__setattr__(self, "schedule_type", kind)

    @property
    def solver(self) -> Sampler:
        return SAMPLERS[self.sampler]

    @property
    def label(self) -> str:
        """As peers write it: the sampler, then the schedule type unless automatic."""
        if self.sigmas:
            return f"{self.solver.label}, own sigmas"
        kind = SCHEDULE_TYPES[self.schedule_type].label
        return self.solver.label + (f" {kind}" if self.schedule_type != "automatic" else "")

    def scheduler_config(self) -> dict[str, Any]:
        """The keyword arguments of the scheduler class; diffusers' own keys among them.

        Those of a baseline are the ones that its class has.
        """
        config = self._arguments() | {"prediction_type": self.prediction_type}
        config["trained_betas"] = list(self.trained_betas) if self.trained_betas else None
        flags = {flag: self.schedule_type == key for key, flag in SCHEDULE_FLAGS.items()}
        if not self.solver.baseline:
            return config | flags
        if self.trained_betas:  # the length of which diffusers does not look at
            config["num_train_timesteps"] = len(self.trained_betas)
        taken = {key: value for key, value in config.items() if self.solver.takes(key)}
        own = {SCHEDULE_FLAGS.get(key) for key in self.solver.schedule_types}
        taken.pop("schedule_type", None)
        return taken | {flag: on for flag, on in flags.items() if flag in own}

    @classmethod
    def from_config(cls, sampler: str, config: Mapping[str, Any], **more: Any) -> "LaneSettings":
        """The lane that a model's `scheduler_config.json` describes; other keys are ignored.

        `more` are fields that no config has.
        """
        given = {key: config[key] for key in CONFIG_KEYS if config.get(key) is not None}
        if given.get("s_tmax") == math.inf:
            del given["s_tmax"]
        for word, value in SWITCHES.items():
            if given.get("round_timesteps") is value:
                given["round_timesteps"] = word
        for key, flag in SCHEDULE_FLAGS.items():
            if config.get(flag):
                given["schedule_type"] = key
        return cls(sampler=sampler, **given | more)

    def as_a1111(self) -> "LaneSettings":
        """This lane with what makes its run equal A1111's and ComfyUI's; see presets.py."""
        return replace(self, **AS_A1111 | {"round_timesteps": "off"})

    def step_count(self, steps: int) -> int:
        """How many steps this lane makes where the run has `steps`: its own list has its own."""
        return len(self.sigmas) if self.sigmas else steps

    def nfe(self, steps: int) -> int:
        """The model calls of this lane, from the first step to the last."""
        return self.solver.calls(self.step_count(steps))

    def schedule(self, steps: int) -> Schedule | CallTable:
        """The table of `steps` steps, or of the own list, that this lane will run.

        Of a baseline only the calls are known. Raises ValueError where there is none.
        """
        if self.solver.baseline:
            return _calls_of_baseline(self, steps)
        arguments = self._arguments()
        eta = arguments.pop("eta")
        arguments["eta"] = self.solver.eta if eta is None else eta
        if self.sigmas:
            return build(sigmas=self.sigmas, **arguments)
        return build(steps, **arguments)

    def calls(self, steps: int) -> CallTable:
        """The model calls of any lane; raises ValueError as `schedule` does."""
        table = self.schedule(steps)
        return table if isinstance(table, CallTable) else CallTable.of(table)

    def _arguments(self) -> dict[str, Any]:
        """The schedule's arguments as the scheduler says them; eta None is the sampler's own."""
        arguments = {key: getattr(self, key) for key in (*BETA_KEYS, *KNOB_KEYS)}
        for key in ZERO_IS_NONE:
            arguments[key] = arguments[key] or None
        arguments["eta"] = self.eta if self.sampler in ANCESTRAL else None
        arguments["round_timesteps"] = SWITCHES[self.round_timesteps]
        if self.interpolation_type == AUTO:
            arguments["interpolation_type"] = None
        return arguments


CONFIG_KEYS = tuple(
    spec.name for spec in fields(LaneSettings) if spec.name not in ("sampler", "sigmas")
)


@lru_cache(maxsize=KEPT_TABLES)
def _calls_of_baseline(lane: LaneSettings, steps: int) -> CallTable:
    return baselines.call_table(lane.solver, lane.scheduler_config(), steps, lane.sigmas)
