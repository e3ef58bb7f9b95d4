"""The settings of a run, defined once; the form, the files and the Python API follow from them."""

import math
import secrets
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from explorer.sampling.wording import counted, lane_letter
from explorer.settings import checks
from explorer.settings.fields import Checked, Refused, SettingsError, setting
from explorer.settings.lane import LaneSettings
from explorer.settings.limits import LIMITS
from explorer.settings.step_range import StepRange

RANDOM_SEED = -1
SEED = 7  # fixed, so that a picture before and after a change is the same picture
MAX_SEED = 2**32 - 1
# Fields whose largest value is the operator's, and the limits that say it.
SIZE_LIMITS = {"steps": "steps", "width": "side", "height": "side", "batch_size": "batch_size"}
PREVIEW_DECODERS = ("auto", "approx", "taesd", "full")


@dataclass(frozen=True, kw_only=True)
class RunSettings(Checked):
    """One run: what to draw, and the lanes that draw it from the same start noise.

    `seed` -1 asks for a random one; `resolved()` fixes it. Raises SettingsError (a ValueError).
    """

    prompt: str = setting("", "Prompt", checks.prompt, "What the picture should show.")
    negative_prompt: str = setting(
        "",
        "Negative prompt",
        checks.prompt,
        "What the picture should not show; no effect at CFG scale 1.",
    )
    seed: int = setting(
        SEED,
        "Seed",
        checks.whole(RANDOM_SEED, MAX_SEED),
        "The number from which all noise is drawn; -1 is random.",
        elsewhere={"diffusers": "generator"},
    )
    steps: int = setting(
        20,
        "Steps",
        checks.whole(1, 1000),
        "N steps of DPM2 are 2N-1 model calls.",
        elsewhere={"diffusers": "num_inference_steps"},
    )
    cfg_scale: float = setting(
        7.0,
        "CFG scale",
        checks.real(1, 30),
        "How closely the prompt is followed; 1 is off.",
        elsewhere={"diffusers": "guidance_scale", "ComfyUI": "cfg"},
    )
    cfg_rescale: float = setting(
        0.0,
        "CFG rescale",
        checks.real(0, 1),
        "Takes back the contrast that CFG adds (Lin et al. 2023); 0 is off.",
        elsewhere={"diffusers": "guidance_rescale"},
    )
    preview_decoder: str = setting(
        "auto",
        "Preview decoder",
        checks.choice(PREVIEW_DECODERS),
        "Automatic: quick previews during a run, full size afterwards.",
        choices=[
            ("Automatic", "auto"),
            ("Approx cheap", "approx"),
            ("TAESD", "taesd"),
            ("Full", "full"),
        ],
    )
    model: str = setting("", "Model", checks.text(500), "Empty means the first model on offer.")
    rng: str = setting(
        "cpu",
        "RNG",
        checks.choice(("cpu", "gpu")),
        "Where noise is drawn; the same seed gives different pictures on CPU and GPU.",
        choices=[("CPU", "cpu"), ("GPU", "gpu")],
        elsewhere={"A1111": "Random number generator source"},
    )
    width: int = setting(0, "Width", checks.side, "In pixels; 0 is the model's default.")
    height: int = setting(0, "Height", checks.side, "In pixels; 0 is the model's default.")
    batch_size: int = setting(
        1,
        "Batch size",
        checks.whole(1, 16),
        "Pictures per lane; the seed of each is one higher.",
        elsewhere={"diffusers": "num_images_per_prompt"},
    )
    init_image: str = setting(
        "", "Start picture", checks.start_picture, "Any still picture; cut to the size of the run."
    )
    strength: float = setting(
        0.75,
        "Strength",
        checks.real(0, 1, above=True),
        "How much of the start picture is replaced by noise; 1 is all.",
        elsewhere={"A1111": "Denoising strength", "ComfyUI": "denoise"},
    )
    refiner: str = setting("", "Refiner", checks.text(500), "An SDXL model for the last steps.")
    refiner_switch_at: float = setting(
        0.8,
        "Switch at",
        checks.real(0, 1),
        "The share of the steps that run before the refiner.",
        elsewhere={"diffusers": "denoising_end"},
    )
    lanes: tuple[LaneSettings, ...] = (LaneSettings(), LaneSettings(sampler="dpm2_a"))

    def __post_init__(self):
        super().__post_init__()
        if not self.lanes:
            raise SettingsError("lanes", "A run needs at least one lane.")
        object.__setattr__(self, "lanes", tuple(self.lanes))
        self._check_limits()
        if self.seed + self.batch_size - 1 > MAX_SEED:
            raise SettingsError(
                "seed",
                f"Each picture of a batch has a seed one higher, and the highest is {MAX_SEED}: "
                f"for {self.batch_size} pictures take at most {MAX_SEED - self.batch_size + 1}.",
            )
        for lane, step_range in enumerate(self.step_ranges):
            self._check(
                "" if step_range.steps == self.steps else f"Lane {lane_letter(lane)}: ", step_range
            )

    def _check_limits(self) -> None:
        """Raise Refused for anything beyond the operator's limits."""
        if len(self.lanes) > LIMITS.lanes:
            raise Refused(
                "lanes",
                f"A run has at most {LIMITS.lanes} lanes; got {len(self.lanes):,}.",
                "lanes",
            )
        for name, limit in SIZE_LIMITS.items():
            value, most = getattr(self, name), getattr(LIMITS, limit)
            if value > most:
                label = name.capitalize().replace("_", " ")
                raise Refused(
                    name, f"{label} may be at most {most} on this server; got {value}.", limit
                )

        for lane, settings in enumerate(self.lanes):  # custom sigmas have a number of steps
            if (steps := settings.step_count(self.steps)) > LIMITS.steps:
                raise Refused(
                    "lanes",
                    f"Lane {lane_letter(lane)} may have at most {LIMITS.steps} steps on this "
                    f"server; its sigmas are {steps}.",
                    "steps",
                )

    def _check(self, lane: str, step_range: StepRange) -> None:
        """Raise SettingsError if a start picture or the refiner leaves a lane without steps."""
        steps = step_range.steps
        if step_range.start == steps:
            raise SettingsError(
                "strength",
                f"{lane}A strength of {self.strength:g} leaves nothing to do of "
                f"{counted(steps, 'step')}; take at least {math.ceil(1000 / steps) / 1000:g}, "
                "or more steps.",
            )
        if self.refiner and not step_range.start < step_range.refiner_at < steps:
            left = "the refiner" if step_range.refiner_at >= steps else "the model before it"
            raise SettingsError(
                "refiner_switch_at",
                f"{lane}Switch at {self.refiner_switch_at:g} leaves {left} none of the steps "
                f"{step_range.start + 1} to {steps}.",
            )

    @property
    def step_ranges(self) -> tuple[StepRange, ...]:
        """The steps and calls of each lane; a lane with custom sigmas has its own."""
        return tuple(
            StepRange(
                sampler=lane.solver,
                steps=(steps := lane.step_count(self.steps)),
                start=self._start(steps),
                refiner_at=self._refiner_at(steps),
            )
            for lane in self.lanes
        )

    def _start(self, steps: int) -> int:
        """The number of whole steps that a start picture skips, counted as diffusers does."""
        return steps - min(int(steps * self.strength), steps) if self.init_image else 0

    def _refiner_at(self, steps: int) -> int:
        """The step, from 0, at which the refiner takes over; without one, the number of steps."""
        return round(steps * self.refiner_switch_at) if self.refiner else steps

    @property
    def first_step(self) -> int:
        """The first step, from 0, of a lane with the run's number of steps."""
        return self._start(self.steps)

    @property
    def base_steps(self) -> int:
        """The refiner's first step in such a lane; the number of steps without a refiner."""
        return self._refiner_at(self.steps)

    @property
    def nfe(self) -> int:
        """The number of model calls of the longest lane."""
        return max(step_range.nfe for step_range in self.step_ranges)

    @property
    def total_nfe(self) -> int:
        """The number of model calls of all lanes."""
        return sum(step_range.nfe for step_range in self.step_ranges)

    def resolved(self) -> "RunSettings":
        """These settings with a random seed drawn, so that the run can be repeated."""
        if self.seed >= 0:
            return self
        return replace(self, seed=secrets.randbelow(MAX_SEED - self.batch_size + 2))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "RunSettings":
        """Read `to_dict`'s data; raises SettingsError that names an unknown key."""
        data = dict(data)
        lanes = tuple(_known(LaneSettings, lane) for lane in data.pop("lanes", ()))
        return _known(cls, data | ({"lanes": lanes} if lanes else {}))


def _known(cls, data: dict[str, Any]):
    names = {spec.name for spec in fields(cls)}
    for key in data:
        if key not in names:
            raise SettingsError(key, f"{key!r} is not a setting; known are {', '.join(names)}.")
    return cls(**data)
