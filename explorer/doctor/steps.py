"""A baseline's run for the checks: one row per step, with the names of `Schedule`."""

from dataclasses import dataclass

import numpy as np

from explorer.doctor.finding import value_of
from explorer.sampling.betas import training_betas, training_sigmas
from explorer.sampling.calls import CallTable
from explorer.sampling.samplers import Sampler
from explorer.sampling.schedules import BETA_KEYS


@dataclass(frozen=True, eq=False)
class StepTable:
    """The steps of diffusers' own schedulers, for which only the model calls are known.

    Float64 arrays; sigmas are noise levels in units of the data, as in `Schedule`.
    """

    sigma: np.ndarray  # N, decreasing
    sigma_next: np.ndarray  # N, the last is the end of the run
    timestep: np.ndarray  # N, as passed to the model
    training_sigma: np.ndarray  # T, increasing
    init_noise_sigma: float  # the standard deviation of a run's first latent
    eta: float = 0.0  # the noise that a baseline adds is not known

    @classmethod
    def of(cls, calls: CallTable, lane: object, sampler: Sampler) -> "StepTable":
        """The steps of a call table; `lane` is a `Case`'s."""
        given = {name: value_of(lane, name) for name in BETA_KEYS if sampler.takes(name)}
        given = {name: value for name, value in given.items() if value is not None}
        first = ~calls.second_call
        sigma = calls.sigma[first]
        return cls(
            sigma=sigma,
            sigma_next=np.append(sigma[1:], calls.sigma_end),
            timestep=calls.timestep[first],
            training_sigma=training_sigmas(training_betas(**given)),
            init_noise_sigma=calls.init_noise_sigma,
        )

    @property
    def steps(self) -> int:
        return len(self.sigma)

    @property
    def sigma_hat(self) -> np.ndarray:
        """The level of each step's first call; baselines have no churn here."""
        return self.sigma
