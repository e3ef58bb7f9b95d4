"""The settings of one lane: a sampler, and every argument of its scheduler."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from typing import Any

from explorer.sampling import baselines
from explorer.sampling.calls import CallTable
from explorer.sampling.samplers import DPM2, SAMPLERS, Sampler, split_name
from explorer.sampling.schedule_options import wrong_order
from explorer.sampling.schedule_types import SCHEDULE_FLAGS, SCHEDULE_TYPES
from explorer.sampling.schedules import BETA_KEYS, OPTION_KEYS, Schedule, build
from explorer.settings.fields import SettingsError
from explorer.settings.lane_fields import ANCESTRAL, AUTO, LaneFields
from explorer.settings.presets import AS_A1111, KL_OPTIMAL_AS_COMFYUI
from explorer.settings.sampler_checks import check_sampler

# By field, the scheduler's argument of a value that is written otherwise here: 0 and "auto" are
# None, as in A1111's settings, "on" is True.
STAND_INS = {
    spec.name: stands_for
    for spec in fields(LaneFields)
    if (stands_for := spec.metadata.get("stands_for"))
}
KEPT_TABLES = 256  # of baselines' calls: every redraw of a page needs those of its lanes


@dataclass(frozen=True, kw_only=True)
class LaneSettings(LaneFields):
    """One lane: a sampler and every scheduler argument; defaults are Stable Diffusion's.

    Raises SettingsError (a ValueError) for a value out of range, or one that the sampler does not
    support.
    """

    def __post_init__(self):
        self._take_type_from_name()
        super().__post_init__()
        check_sampler(self.solver, self.schedule_type, self.sigmas, self.prediction_type)
        if wrong := wrong_order(self._arguments(), _label):
            raise SettingsError(*wrong)

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
    def spacing(self) -> str:
        """The timestep spacing of this lane's run; its sampler's default if it names none."""
        return self.solver.spacing if self.timestep_spacing == AUTO else self.timestep_spacing

    @property
    def label(self) -> str:
        """The usual name: the sampler, then the schedule type unless it is automatic."""
        if self.sigmas:
            return f"{self.solver.label}, custom sigmas"
        kind = SCHEDULE_TYPES[self.schedule_type].label
        return self.solver.label + (f" {kind}" if self.schedule_type != "automatic" else "")

    def scheduler_config(self) -> dict[str, Any]:
        """The keyword arguments of the scheduler class; diffusers' own keys among them.

        For a baseline, only those that its class has.
        """
        config = self._arguments() | {"prediction_type": self.prediction_type}
        config["trained_betas"] = list(self.trained_betas) if self.trained_betas else None
        if self.trained_betas:  # the length of which diffusers does not look at
            config["num_train_timesteps"] = len(self.trained_betas)
        flags = {flag: self.schedule_type == key for key, flag in SCHEDULE_FLAGS.items()}
        if not self.solver.baseline:
            return config | flags
        taken = {key: value for key, value in config.items() if self.solver.takes(key)}
        supported = {SCHEDULE_FLAGS.get(key) for key in self.solver.schedule_types}
        taken.pop("schedule_type", None)
        return taken | {flag: on for flag, on in flags.items() if flag in supported}

    @classmethod
    def from_config(cls, sampler: str, config: Mapping[str, Any], **more: Any) -> "LaneSettings":
        """The lane that a model's `scheduler_config.json` describes; other keys are ignored.

        `more` are fields that no config has.
        """
        given = {key: config[key] for key in CONFIG_KEYS if config.get(key) is not None}
        if given.get("s_tmax") == math.inf:
            del given["s_tmax"]
        if given.get("s_tmax") == 0:  # here no limit, there no churn at all
            given["s_churn"] = 0.0
        spacing = given.get("timestep_spacing")
        if spacing == SAMPLERS[sampler].spacing == DPM2.spacing:  # else other lanes would differ
            given["timestep_spacing"] = AUTO
        for name, stands_for in STAND_INS.items():
            for word, value in stands_for.items():
                if given.get(name, "") is value:
                    given[name] = word
        for key, flag in SCHEDULE_FLAGS.items():
            if config.get(flag):
                given["schedule_type"] = key
        return cls(sampler=sampler, **given | more)

    def as_a1111(self) -> "LaneSettings":
        """This lane with the settings that make its run equal A1111's and ComfyUI's; see
        presets.py.
        """
        theirs = AS_A1111 | {"round_timesteps": "off", "timestep_spacing": AUTO}
        if self.schedule_type == "kl_optimal":
            theirs |= KL_OPTIMAL_AS_COMFYUI
        return replace(self, **theirs)

    def step_count(self, steps: int) -> int:
        """The number of this lane's steps in a run of `steps`: its custom sigmas, if any."""
        return len(self.sigmas) if self.sigmas else steps

    def nfe(self, steps: int) -> int:
        """The model calls of this lane, from the first step to the last."""
        return self.solver.calls(self.step_count(steps))

    def schedule(self, steps: int) -> Schedule | CallTable:
        """The table of `steps` steps, or of the custom sigmas, that this lane will run.

        For a baseline only the calls are known. Raises ValueError if there is no valid schedule.
        """
        if self.solver.baseline:
            return _calls_of_baseline(self, steps)
        if type(steps) is not int:  # an invalid one, which the schedule refuses with a sentence
            return self._build(steps)
        if steps not in self._schedules:
            self._schedules[steps] = self._build(steps)
        return self._schedules[steps]

    @cached_property
    def _schedules(self) -> dict[int, Schedule]:
        """By number of steps: a redraw of the page needs a lane's schedule several times."""
        return {}

    def _build(self, steps: int) -> Schedule:
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
        """The schedule's arguments as the scheduler takes them; eta None: the sampler's default."""
        arguments = {key: getattr(self, key) for key in (*BETA_KEYS, *OPTION_KEYS)}
        for name, stands_for in STAND_INS.items():
            arguments[name] = stands_for.get(arguments[name], arguments[name])
        arguments["eta"] = self.eta if self.sampler in ANCESTRAL else None
        arguments["timestep_spacing"] = self.spacing
        return arguments


def _label(name: str) -> str:
    return LaneSettings.__dataclass_fields__[name].metadata["label"]


CONFIG_KEYS = tuple(
    spec.name for spec in fields(LaneSettings) if spec.name not in ("sampler", "sigmas")
)


@lru_cache(maxsize=KEPT_TABLES)
def _calls_of_baseline(lane: LaneSettings, steps: int) -> CallTable:
    from explorer.runtime.threads import in_own_thread  # torch, which diffusers imports anyway

    def call_table() -> CallTable:
        return baselines.call_table(lane.solver, lane.scheduler_config(), steps, lane.sigmas)

    return in_own_thread(call_table)  # what computes by OpenMP here would slow down every run
