"""The model calls of a run of any sampler: a table of plain arrays, one row per call."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from explorer.sampling.schedules import Schedule

STEP, MIDPOINT, CORRECTION = "step", "midpoint", "correction"  # a call's role within its step


@dataclass(frozen=True, eq=False)
class CallTable:
    """The model calls of a whole run, in order; read-only arrays of equal length.

    `sigma` is the noise level of the latent, in units of the data, at which the model is called,
    and `timestep` the one that it is given. `second_call` says whether a call is the second of its
    step: at a midpoint, or Heun's correction at the step's end. The last step lands at `sigma_end`;
    `init_noise_sigma` is the standard deviation of the first latent.
    """

    step: np.ndarray  # whole numbers, from 0
    second_call: np.ndarray  # booleans
    sigma: np.ndarray  # float64
    timestep: np.ndarray  # float64
    sigma_end: float = 0.0
    init_noise_sigma: float = 1.0

    def __post_init__(self):
        for name in ("step", "second_call", "sigma", "timestep"):
            getattr(self, name).setflags(write=False)

    @classmethod
    def of(cls, schedule: Schedule) -> "CallTable":
        """The calls of our own samplers."""
        step, second = np.divmod(np.arange(schedule.nfe), 2)
        levels = schedule.call_sigma, schedule.call_timestep
        return cls(
            step, second.astype(bool), *levels, schedule.final_sigma, schedule.init_noise_sigma
        )

    @property
    def nfe(self) -> int:
        """Model calls."""
        return len(self.step)

    @cached_property
    def steps(self) -> int:
        return int(self.step[-1]) + 1
