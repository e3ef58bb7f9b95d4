"""Which part of a lane's steps a run makes, counted in steps and in model calls."""

from dataclasses import dataclass

from explorer.sampling.samplers import Sampler


@dataclass(frozen=True, kw_only=True)
class Span:
    """The steps `first` to `steps` of a lane, from 0; at `cut` a refiner takes over.

    Without a refiner `cut` is `steps`. Calls are counted from the beginning of the lane's table.
    """

    sampler: Sampler
    steps: int
    first: int
    cut: int

    @property
    def first_call(self) -> int:
        """The call that the run begins with."""
        return self.sampler.order * self.first

    @property
    def cut_call(self) -> int | None:
        """The refiner's first call; None without a refiner."""
        return self.sampler.order * self.cut if self.cut < self.steps else None

    @property
    def nfe(self) -> int:
        """The model calls that the run makes."""
        return self.sampler.calls(self.steps) - self.first_call
