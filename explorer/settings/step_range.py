"""Which part of a lane's steps a run makes, counted in steps and in model calls."""

from dataclasses import dataclass

from explorer.sampling.samplers import Sampler


@dataclass(frozen=True, kw_only=True)
class StepRange:
    """The steps `start` to `steps` of a lane, from 0; at `refiner_at` a refiner takes over.

    Without a refiner that is `steps`. Calls are counted from the start of the lane's table.
    """

    sampler: Sampler
    steps: int
    start: int
    refiner_at: int

    @property
    def first_call(self) -> int:
        """The call that the run begins with."""
        return self.sampler.order * self.start

    @property
    def refiner_call(self) -> int | None:
        """The refiner's first call; None without a refiner."""
        return self.sampler.order * self.refiner_at if self.refiner_at < self.steps else None

    @property
    def nfe(self) -> int:
        """The model calls that the run makes."""
        return self.sampler.calls(self.steps) - self.first_call
