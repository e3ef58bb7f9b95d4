"""What a check is given, and what it says."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from explorer.sampling.samplers import Sampler, find_sampler
from explorer.sampling.schedules import SCHEDULE_TYPES, Schedule

if TYPE_CHECKING:
    from explorer.doctor.steps import StepTable

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)  # the worst first


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing to know about a run before it is made.

    `code` is a stable slug, `numbers` are what the sentence rests on, `field` is the setting that
    it is about. `lane` is the lane's index, None where it is about the run. `fix` are the settings
    that end it: those of the lane, or the run's "steps".
    """

    severity: str
    code: str
    sentence: str
    numbers: dict[str, float] = dataclasses.field(default_factory=dict)
    lane: int | None = None
    field: str = ""
    fix: dict[str, Any] | None = None
    fix_label: str = ""

    def __post_init__(self):
        numbers = {name: float(number) for name, number in self.numbers.items()}
        object.__setattr__(self, "numbers", numbers)


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """What the checks look at: one lane's settings and the schedule that they give.

    `lane` and `model_defaults` (the settings that the model comes with, None where unknown) are
    mappings or objects with fields named as the scheduler's arguments. `dtype` is that of the
    latents, "" where unknown.
    """

    lane: Any
    schedule: "Schedule | StepTable | None"
    steps: int
    model_defaults: Any = None
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
        """The schedule type as people write it."""
        return SCHEDULE_TYPES[self.kind].label

    @property
    def continuous(self) -> bool:
        """Whether the sigmas go from a sigma_max to a sigma_min, and not by timesteps."""
        return SCHEDULE_TYPES[self.kind].continuous

    @property
    def listed(self) -> bool:
        """Whether the lane has a list of sigmas of its own."""
        return self.get("sigmas") is not None

    def get(self, name: str, otherwise: Any = None) -> Any:
        """A setting of the lane; `otherwise` where it has none."""
        return value_of(self.lane, name, otherwise)

    def takes(self, name: str) -> bool:
        """Whether the lane's sampler has a use for this: diffusers' own ones lack most options."""
        ours_without_noise = not self.sampler.baseline and not self.sampler.eta
        return self.sampler.takes(name) and not (name == "eta" and ours_without_noise)

    def mend(self, label: str, **values: Any) -> dict[str, Any]:
        """A finding's `fix` and `fix_label`; nothing where the sampler lacks what would change."""
        return {"fix": values, "fix_label": label} if all(map(self.takes, values)) else {}


def value_of(settings: Any, name: str, otherwise: Any = None) -> Any:
    found = settings.get(name) if isinstance(settings, Mapping) else getattr(settings, name, None)
    return otherwise if found is None else found
