"""Every setting of a run, said once; the form, the file and the Python call follow from here."""

import math
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from explorer.sampling.samplers import SAMPLERS, Sampler, find_sampler
from explorer.sampling.schedules import (
    BETA_SCHEDULES,
    PREDICTION_TYPES,
    SCHEDULE_FLAGS,
    SCHEDULE_TYPES,
    TIMESTEP_SPACINGS,
    Schedule,
    build,
)

RANDOM_SEED = -1
MAX_SEED = 2**32 - 1


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


def _whole(low: int, high: int):
    def check(label: str, value: Any) -> int:
        number = _number(label, value, f"a whole number from {low} to {high}")
        if number != int(number) or not low <= number <= high:
            raise ValueError(f"{label} must be a whole number from {low} to {high}; got {value}.")
        return int(number)

    return check


def _real(low: float, high: float, *, inside: bool = False):
    """A number from `low` to `high`, or with `inside` strictly between them."""
    wanted = f"a number from {low:g} to {high:g}"
    if inside:
        wanted = f"a number above {low:g} and below {high:g}"

    def check(label: str, value: Any) -> float:
        number = _number(label, value, wanted)
        fits = low < number < high if inside else low <= number <= high
        if not fits:
            raise ValueError(f"{label} must be {wanted}; got {value}.")
        return number

    return check


def _number(label: str, value: Any, wanted: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        shown = "nothing" if value in (None, "") else str(value)[:40]
        raise ValueError(f"{label} must be {wanted}; got {shown}.")
    return number


def _sampler(label: str, value: Any) -> str:
    return find_sampler(str(value)).key


def _choice(choices):
    def check(label: str, value: Any) -> str:
        if value not in choices:
            raise ValueError(f"{label} must be one of {', '.join(choices)}; got {value!r}.")
        return value

    return check


def _text(longest: int):
    def check(label: str, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{label} must be text; got {value!r}.")
        if len(value) > longest:
            raise ValueError(
                f"{label} may have at most {longest:,} characters; this one has {len(value):,}."
            )
        return value

    return check


def _betas(label: str, value: Any) -> tuple[float, ...] | None:
    if value is None:
        return None
    try:
        betas = tuple(float(beta) for beta in value)
    except (TypeError, ValueError):
        raise ValueError(f"{label} must be a list of numbers between 0 and 1.") from None
    if not 2 <= len(betas) <= 10_000:
        raise ValueError(f"{label} needs 2 to 10,000 values; got {len(betas):,}.")
    for position, beta in enumerate(betas, start=1):
        if not 0 < beta < 1:
            raise ValueError(
                f"{label} must all lie above 0 and below 1; value {position} is {beta:g}."
            )
    return betas


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
        _sampler,
        "The solver. Diffusers calls it the scheduler.",
        choices=[(sampler.label, key) for key, sampler in SAMPLERS.items()],
    )
    schedule_type: str = _setting(
        "automatic",
        "Schedule type",
        _choice(SCHEDULE_TYPES),
        "The spacing of the sigmas; Automatic keeps the model's training spacing.",
        choices=[(key.capitalize(), key) for key in SCHEDULE_TYPES],
    )
    prediction_type: str = _setting(
        "epsilon",
        "Prediction type",
        _choice(PREDICTION_TYPES),
        "What the network was trained to predict: noise, v, or the clean sample.",
        choices=[(key, key) for key in PREDICTION_TYPES],
    )
    timestep_spacing: str = _setting(
        "linspace",
        "Timestep spacing",
        _choice(TIMESTEP_SPACINGS),
        "Which training timesteps are visited (Lin et al. 2023, table 2).",
        choices=[(key, key) for key in TIMESTEP_SPACINGS],
    )
    steps_offset: int = _setting(
        0, "Steps offset", _whole(0, 999), "Added to the timesteps; acts under leading only."
    )
    beta_schedule: str = _setting(
        "scaled_linear",
        "Beta schedule",
        _choice(BETA_SCHEDULES),
        "How the noise variances of training grow from start to end.",
        choices=[(key, key) for key in BETA_SCHEDULES],
    )
    beta_start: float = _setting(
        0.00085, "Beta start", _real(0, 1, inside=True), "First training beta."
    )
    beta_end: float = _setting(0.012, "Beta end", _real(0, 1, inside=True), "Last training beta.")
    trained_betas: tuple[float, ...] | None = _setting(
        None, "Trained betas", _betas, "Replaces beta schedule, start and end."
    )
    num_train_timesteps: int = _setting(
        1000, "Train timesteps", _whole(2, 10_000), "Length of the training schedule."
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

    prompt: str = _setting("", "Prompt", _text(2000))
    negative_prompt: str = _setting("", "Negative prompt", _text(2000))
    seed: int = _setting(RANDOM_SEED, "Seed", _whole(RANDOM_SEED, MAX_SEED), "-1 is random.")
    steps: int = _setting(20, "Steps", _whole(1, 1000), "N steps are 2N-1 model calls.")
    cfg_scale: float = _setting(
        7.0, "CFG scale", _real(1, 30), "How strongly the prompt is followed; 1 switches it off."
    )
    lanes: tuple[LaneSettings, ...] = (LaneSettings(), LaneSettings(sampler="dpm2_a"))

    def __post_init__(self):
        super().__post_init__()
        if not self.lanes:
            raise SettingsError("lanes", "A run needs at least one lane.")
        object.__setattr__(self, "lanes", tuple(self.lanes))

    @property
    def nfe(self) -> int:
        """Model calls of one lane."""
        return 2 * self.steps - 1

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
