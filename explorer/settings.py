"""Every setting of a run, said once; the form, the file and the Python call follow from here."""

import math
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from explorer import checks
from explorer.pictures import picture_url
from explorer.sampling.betas import BETA_SCHEDULES
from explorer.sampling.samplers import SAMPLERS, Sampler
from explorer.sampling.schedules import (
    PREDICTION_TYPES,
    SCHEDULE_FLAGS,
    SCHEDULE_TYPES,
    TIMESTEP_SPACINGS,
    Schedule,
    build,
)

__all__ = ["LaneSettings", "RunSettings", "SettingsError", "picture_url"]

RANDOM_SEED = -1
MAX_SEED = 2**32 - 1
MAX_LANES = 6


class SettingsError(ValueError):
    """A setting that cannot be used: `name` is the field, the message a sentence to act on."""

    def __init__(self, name: str, message: str):
        super().__init__(message)
        self.name = name

    def __reduce__(self):
        return type(self), (self.name, str(self))


def _setting(default, label: str, check: Callable, help: str = "", **hints):
    """A dataclass field whose metadata is enough to check it and to draw its control."""
    return field(default=default, metadata={"label": label, "check": check, "help": help, **hints})


class _Checked:
    """Runs each field's check at construction and stores the checked value."""

    def __post_init__(self):
        for spec in fields(self):
            if check := spec.metadata.get("check"):
                try:
                    value = check(spec.metadata["label"], getattr(self, spec.name))
                except ValueError as error:
                    raise SettingsError(spec.name, str(error)) from None
                object.__setattr__(self, spec.name, value)


@dataclass(frozen=True, kw_only=True)
class LaneSettings(_Checked):
    """One lane: a sampler and every scheduler argument; defaults are Stable Diffusion's.

    Raises SettingsError (a ValueError) for a value out of range.
    """

    sampler: str = _setting(
        "dpm2",
        "Sampler",
        checks.sampler,
        "The solver. Diffusers calls it the scheduler.",
        choices=[(sampler.label, key) for key, sampler in SAMPLERS.items()],
    )
    schedule_type: str = _setting(
        "automatic",
        "Schedule type",
        checks.choice(SCHEDULE_TYPES),
        "The spacing of the sigmas; Automatic keeps the model's training spacing.",
        choices=[(key.capitalize(), key) for key in SCHEDULE_TYPES],
    )
    prediction_type: str = _setting(
        "epsilon",
        "Prediction type",
        checks.choice(PREDICTION_TYPES),
        "What the network was trained to predict: noise, v, or the clean sample.",
        choices=[(key, key) for key in PREDICTION_TYPES],
    )
    timestep_spacing: str = _setting(
        "linspace",
        "Timestep spacing",
        checks.choice(TIMESTEP_SPACINGS),
        "Which training timesteps are visited (Lin et al. 2023, table 2).",
        choices=[(key, key) for key in TIMESTEP_SPACINGS],
    )
    steps_offset: int = _setting(
        0, "Steps offset", checks.whole(0, 999), "Added to the timesteps; acts under leading only."
    )
    beta_schedule: str = _setting(
        "scaled_linear",
        "Beta schedule",
        checks.choice(BETA_SCHEDULES),
        "How the noise variances of training grow from start to end.",
        choices=[(key, key) for key in BETA_SCHEDULES],
    )
    beta_start: float = _setting(
        0.00085, "Beta start", checks.real(0, 1, inside=True), "First training beta."
    )
    beta_end: float = _setting(
        0.012, "Beta end", checks.real(0, 1, inside=True), "Last training beta."
    )
    trained_betas: tuple[float, ...] | None = _setting(
        None, "Trained betas", checks.betas, "Replaces beta schedule, start and end."
    )
    num_train_timesteps: int = _setting(
        1000, "Train timesteps", checks.whole(2, 10_000), "Length of the training schedule."
    )
    rescale_betas_zero_snr: bool = _setting(
        False,
        "Rescale betas (zero terminal SNR)",
        checks.flag,
        "For models trained to start from pure noise, such as some SD 2.x ones.",
    )

    @property
    def solver(self) -> Sampler:
        return SAMPLERS[self.sampler]

    @property
    def label(self) -> str:
        """As peers write it: the sampler, then the schedule type unless automatic."""
        kind = "" if self.schedule_type == "automatic" else f" {self.schedule_type.capitalize()}"
        return self.solver.label + kind

    def scheduler_config(self) -> dict[str, Any]:
        """The keyword arguments of the scheduler class; diffusers' own keys."""
        config = {key: getattr(self, key) for key in _SCHEDULER_KEYS}
        config["trained_betas"] = list(self.trained_betas) if self.trained_betas else None
        return config | {flag: self.schedule_type == key for key, flag in SCHEDULE_FLAGS.items()}

    @classmethod
    def from_config(cls, sampler: str, config: dict[str, Any]) -> "LaneSettings":
        """The lane that a model's `scheduler_config.json` describes; other keys are ignored."""
        known = {key: config[key] for key in _SCHEDULER_KEYS if config.get(key) is not None}
        kinds = [key for key, flag in SCHEDULE_FLAGS.items() if config.get(flag)]
        return cls(sampler=sampler, schedule_type=kinds[0] if kinds else "automatic", **known)

    def schedule(self, steps: int) -> Schedule:
        """The table of `steps` steps that this lane will run; ValueError where there is none."""
        config = {key: getattr(self, key) for key in _SCHEDULE_KEYS}
        return build(steps, eta=self.solver.eta, schedule_type=self.schedule_type, **config)


_SCHEDULER_KEYS = tuple(
    spec.name for spec in fields(LaneSettings) if spec.name not in ("sampler", "schedule_type")
)
_SCHEDULE_KEYS = tuple(key for key in _SCHEDULER_KEYS if key != "prediction_type")


@dataclass(frozen=True, kw_only=True)
class RunSettings(_Checked):
    """One run: what to draw, and the lanes that draw it from the same start noise.

    `seed` -1 asks for a random one; `resolved()` fixes it. Raises SettingsError (a ValueError).
    """

    prompt: str = _setting("", "Prompt", checks.text(2000))
    negative_prompt: str = _setting("", "Negative prompt", checks.text(2000))
    seed: int = _setting(RANDOM_SEED, "Seed", checks.whole(RANDOM_SEED, MAX_SEED), "-1 is random.")
    steps: int = _setting(20, "Steps", checks.whole(1, 1000), "N steps are 2N-1 model calls.")
    cfg_scale: float = _setting(
        7.0, "CFG scale", checks.real(1, 30), "How closely the prompt is followed; 1 is off."
    )
    cfg_rescale: float = _setting(
        0.0,
        "CFG rescale",
        checks.real(0, 1),
        "Takes back the contrast that CFG adds (Lin et al. 2023); 0 is off.",
    )
    model: str = _setting("", "Model", checks.text(500), "Empty is the first one.")
    rng: str = _setting(
        "cpu",
        "RNG",
        checks.choice(("cpu", "gpu")),
        "Where noise is drawn; the same seed gives another picture on the other one.",
        choices=[("CPU", "cpu"), ("GPU", "gpu")],
    )
    width: int = _setting(0, "Width", checks.side, "0 is the model's own.")
    height: int = _setting(0, "Height", checks.side, "0 is the model's own.")
    batch_size: int = _setting(
        1, "Batch size", checks.whole(1, 16), "Pictures a lane; each one's seed is one higher."
    )
    init_image: str = _setting(
        "", "Start picture", checks.start_picture, "PNG or JPEG; cut to the size of the run."
    )
    strength: float = _setting(
        0.75, "Strength", checks.part, "How much of the start picture is noised over; 1 is all."
    )
    refiner: str = _setting("", "Refiner", checks.text(500), "An SDXL model for the last steps.")
    refiner_switch_at: float = _setting(
        0.8, "Switch at", checks.real(0, 1), "The share of the steps before the refiner."
    )
    lanes: tuple[LaneSettings, ...] = (LaneSettings(), LaneSettings(sampler="dpm2_a"))

    def __post_init__(self):
        super().__post_init__()
        if not self.lanes:
            raise SettingsError("lanes", "A run needs at least one lane.")
        object.__setattr__(self, "lanes", tuple(self.lanes))
        if self.first_step == self.steps:
            raise SettingsError(
                "strength",
                f"A strength of {self.strength:g} leaves none of the {self.steps} steps to do; "
                f"take at least {math.ceil(1000 / self.steps) / 1000:g}, or more steps.",
            )
        if self.refiner and not self.first_step < self.base_steps < self.steps:
            left = "the refiner" if self.base_steps >= self.steps else "the model before it"
            raise SettingsError(
                "refiner_switch_at",
                f"Switch at {self.refiner_switch_at:g} leaves {left} none of the steps "
                f"{self.first_step + 1} to {self.steps}.",
            )

    @property
    def first_step(self) -> int:
        """Whole steps that a start picture leaves out, counted as diffusers does."""
        if not self.init_image:
            return 0
        return self.steps - min(int(self.steps * self.strength), self.steps)

    @property
    def base_steps(self) -> int:
        """The step at which the refiner takes over, counted from 0; all of them without one."""
        return round(self.steps * self.refiner_switch_at) if self.refiner else self.steps

    @property
    def nfe(self) -> int:
        """Model calls of one lane: two a step, one for the last."""
        return 2 * (self.steps - self.first_step) - 1

    def resolved(self) -> "RunSettings":
        """These settings with a random seed drawn, so that the run can be repeated."""
        return self if self.seed >= 0 else replace(self, seed=secrets.randbelow(MAX_SEED + 1))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "RunSettings":
        """Read `to_dict`'s data; raises SettingsError that names a key it does not know."""
        data = dict(data)
        lanes = tuple(_known(LaneSettings, lane) for lane in data.pop("lanes", ()))
        return _known(cls, data | ({"lanes": lanes} if lanes else {}))


def _known(cls, data: dict[str, Any]):
    names = {spec.name for spec in fields(cls)}
    for key in data:
        if key not in names:
            raise SettingsError(key, f"{key!r} is not a setting; known are {', '.join(names)}.")
    return cls(**data)
