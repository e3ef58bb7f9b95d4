"""The part of a lane's steps that a run covers, in steps and in model calls."""

from dataclasses import dataclass

from explorer.sampling.samplers import Sampler


@dataclass(frozen=True, kw_only=True)
class StepRange:
    """The steps from `start` to `steps` of a lane; a refiner takes over at `refiner_at`.

    All count from 0; without a refiner, `refiner_at` is `steps`. Calls are counted from the start
    of the lane's table.
    """

    sampler: Sampler
    steps: int
    start: int
    refiner_at: int

    @property
    def first_call(self) -> int:
        """The run's first call."""
        return self.sampler.order * self.start

    @property
    def refiner_call(self) -> int | None:
        """The refiner's first call; None without a refiner."""
        return self.sampler.order * self.refiner_at if self.refiner_at < self.steps else None

    @property
    def nfe(self) -> int:
        """The number of model calls that the run makes."""
        return self.sampler.calls(self.steps) - self.first_call
