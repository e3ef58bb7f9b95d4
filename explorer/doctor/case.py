"""The input of a check: a lane's settings, alone or with their schedule."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from explorer.doctor.finding import value_of
from explorer.doctor.steps import StepTable
from explorer.sampling.samplers import Sampler, find_sampler
from explorer.sampling.schedules import SCHEDULE_TYPES, Schedule


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """The input of the checks: one lane's settings, which may have no valid schedule.

    `lane` and `model_defaults` (the settings that the model comes with, None where unknown) are
    mappings or objects with fields named as the scheduler's arguments. `dtype` is that of the
    latents, "" where unknown.
    """

    lane: object
    steps: int
    model_defaults: object = None
    dtype: str = ""

    @cached_property
    def sampler(self) -> Sampler:
        return find_sampler(str(self.get("sampler", "dpm2")))

    @property
    def kind(self) -> str:
        """The schedule type."""
        return self.get("schedule_type", "automatic")

    @property
    def spacing(self) -> str:
        """The timestep spacing of the lane's run."""
        named = self.get("timestep_spacing", "auto")
        return self.sampler.spacing if named == "auto" else named

    @property
    def label(self) -> str:
        """The schedule type's label."""
        return SCHEDULE_TYPES[self.kind].label

    @property
    def continuous(self) -> bool:
        """Whether the sigmas go from a sigma_max to a sigma_min, instead of by timesteps."""
        return SCHEDULE_TYPES[self.kind].continuous

    @property
    def listed(self) -> bool:
        """Whether the lane has custom sigmas."""
        return self.get("sigmas") is not None

    def get(self, name: str, otherwise: Any = None) -> Any:
        """A setting of the lane; `otherwise` if it has none."""
        return value_of(self.lane, name, otherwise)

    def takes(self, name: str) -> bool:
        """Whether the lane's sampler uses this option: those of diffusers lack most of them."""
        ours_without_noise = not self.sampler.baseline and not self.sampler.eta
        return self.sampler.takes(name) and not (name == "eta" and ours_without_noise)

    def fix(self, label: str, **values: Any) -> dict[str, Any]:
        """A finding's `fix` and `fix_label`; nothing if the sampler lacks one of the options."""
        return {"fix": values, "fix_label": label} if all(map(self.takes, values)) else {}


@dataclass(frozen=True, kw_only=True, eq=False)
class StepsCase(Case):
    """A lane with its steps, of any sampler."""

    schedule: Schedule | StepTable


@dataclass(frozen=True, kw_only=True, eq=False)
class ScheduleCase(StepsCase):
    """A lane of one of our samplers, with its whole schedule."""

    schedule: Schedule
