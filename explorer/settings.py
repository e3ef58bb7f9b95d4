"""The settings of a run, said once; the form, the file and the Python call follow from here."""

import math
import secrets
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from explorer import checks
from explorer.checked import Checked, SettingsError, setting
from explorer.lane_settings import LaneSettings
from explorer.pictures import picture_url

__all__ = ["LaneSettings", "RunSettings", "SettingsError", "picture_url"]

RANDOM_SEED = -1
MAX_SEED = 2**32 - 1
MAX_LANES = 6


@dataclass(frozen=True, kw_only=True)
class RunSettings(Checked):
    """One run: what to draw, and the lanes that draw it from the same start noise.

    `seed` -1 asks for a random one; `resolved()` fixes it. Raises SettingsError (a ValueError).
    """

    prompt: str = setting("", "Prompt", checks.text(2000))
    negative_prompt: str = setting("", "Negative prompt", checks.text(2000))
    seed: int = setting(RANDOM_SEED, "Seed", checks.whole(RANDOM_SEED, MAX_SEED), "-1 is random.")
    steps: int = setting(20, "Steps", checks.whole(1, 1000), "N steps are 2N-1 model calls.")
    cfg_scale: float = setting(
        7.0, "CFG scale", checks.real(1, 30), "How closely the prompt is followed; 1 is off."
    )
    cfg_rescale: float = setting(
        0.0,
        "CFG rescale",
        checks.real(0, 1),
        "Takes back the contrast that CFG adds (Lin et al. 2023); 0 is off.",
    )
    model: str = setting("", "Model", checks.text(500), "Empty is the first one.")
    rng: str = setting(
        "cpu",
        "RNG",
        checks.choice(("cpu", "gpu")),
        "Where noise is drawn; the same seed gives another picture on the other one.",
        choices=[("CPU", "cpu"), ("GPU", "gpu")],
    )
    width: int = setting(0, "Width", checks.side, "0 is the model's own.")
    height: int = setting(0, "Height", checks.side, "0 is the model's own.")
    batch_size: int = setting(
        1, "Batch size", checks.whole(1, 16), "Pictures a lane; each one's seed is one higher."
    )
    init_image: str = setting(
        "", "Start picture", checks.start_picture, "PNG or JPEG; cut to the size of the run."
    )
    strength: float = setting(
        0.75, "Strength", checks.part, "How much of the start picture is noised over; 1 is all."
    )
    refiner: str = setting("", "Refiner", checks.text(500), "An SDXL model for the last steps.")
    refiner_switch_at: float = setting(
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
